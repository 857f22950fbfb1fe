import { EFAULT, EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import { FOLL_TOUCH, FOLL_WRITE, getUserPages } from './gup.js';
import type { MmStruct } from './mm-struct.js';
import { lruAddDrain } from './swap.js';
import { wraps } from './task-size.js';
import { vmaLookup } from './vma-set.js';
import { VM_IO, VM_PFNMAP } from './vma.js';

/**
 * Faults in the pages [start, start + pages) as if read or written.
 * @returns 0; `-ENOMEM` for a hole or when memory is used up; `-EINVAL` where the VMA does not allow it; `-EFAULT` where an
 * access would raise a signal.
 * @kernel mm/madvise.c madvise_populate (without: hardware poison as an errno of its own, retries with
 * mmap_lock dropped)
 */
export function* madvisePopulate(mm: MmStruct, start: number, pages: number, write: boolean): Task<number> {
  if (pages === 0) return 0;
  if (wraps(start, pages)) return -EINVAL;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  let ret = 0;
  for (let at = start; at < start + pages && ret === 0;) {
    const vma = vmaLookup(mm, at);
    if (vma === undefined) {
      ret = -ENOMEM;
      break;
    }
    const end = Math.min(vma.end, start + pages);
    if ((vma.flags & (VM_IO | VM_PFNMAP)) !== 0) ret = -EINVAL;
    else {
      const got = yield* getUserPages(
        mm,
        at,
        end - at,
        write ? FOLL_TOUCH | FOLL_WRITE : FOLL_TOUCH,
        undefined,
      );
      lruAddDrain(mm.system);
      if (got < 0) ret = got === -EFAULT ? -EINVAL : got;
      at += Math.max(0, got);
    }
  }
  mm.mmapLock.unlockRead();
  return ret;
}
