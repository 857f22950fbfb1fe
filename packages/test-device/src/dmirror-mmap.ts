import { ENOMEM, type Task } from '@hmm/kernel';
import { type MmStruct, VM_FAULT_SIGBUS, VM_MIXEDMAP, vmaLookup } from '@hmm/mm';
import { allocZeroedPage, doMmap, folioPut, NO_PFN, type VmOperations, vmInsertPage } from '@hmm/mm/internal';

/** All pages are there from the start: a fault finds nothing that it could add. */
const OPERATIONS: VmOperations = {
  *fault(): Task<number> {
    return VM_FAULT_SIGBUS;
  },
};

/**
 * Maps a device file: `pages` new pages of zeroes, all of them mapped at once.
 * @param flags `MAP_*` of mmap. @returns the first page's number, or a negative errno.
 * @kernel lib/test_hmm.c dmirror_fops_mmap (all)
 */
export function* dmirrorFopsMmap(
  mm: MmStruct,
  addr: number,
  pages: number,
  prot: number,
  flags: number,
): Task<number> {
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const start = yield* doMmap(mm, addr, pages, prot, flags, { ops: OPERATIONS, vmFlags: VM_MIXEDMAP });
  const ret = start < 0 ? start : insertPages(mm, start, pages);
  mm.mmapLock.unlockWrite();
  return ret === 0 ? start : ret;
}

function insertPages(mm: MmStruct, start: number, pages: number): number {
  const vma = vmaLookup(mm, start);
  for (let vpn = start; vma !== undefined && vpn < start + pages; vpn++) {
    const page = allocZeroedPage(mm.system);
    if (page === NO_PFN) return -ENOMEM;
    const ret = vmInsertPage(vma, vpn, page);
    folioPut(mm.system, page);
    if (ret !== 0) return ret;
  }
  return 0;
}
