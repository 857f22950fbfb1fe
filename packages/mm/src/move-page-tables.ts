import { type Task } from '@hmm/kernel';
import { ENTRY_TABLE, LEVEL_PMD, LEVEL_PTE } from '@hmm/kernel/internal';
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_UNMAP, mmHasNotifiers } from '@hmm/mmu-notifier';
import { splitHugePmd } from './huge-memory.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { findPmd, pmdAddrEnd } from './page-walk.js';
import { VM_HUGETLB, type Vma } from './vma.js';

/**
 * Moves the entries of `pages` pages at `from` to `to`, as they are; the old range is announced as UNMAP, of huge pages that
 * were set aside as CLEAR. rmap finds them at the new place since the new VMA is in the old one's trees.
 * @returns false when page tables are used up: a part has been moved then.
 * @kernel mm/mremap.c move_page_tables (without: huge PUDs, tables that are moved whole, breaks to let
 * others run), mm/hugetlb.c move_hugetlb_page_tables
 */
export function* movePageTables(
  vma: Vma,
  from: number,
  newVma: Vma,
  to: number,
  pages: number,
): Task<boolean> {
  if (pages === 0) return true;
  const { mm } = vma;
  const end = from + pages;
  const event = (vma.flags & VM_HUGETLB) !== 0 ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_UNMAP;
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, event, from, end) : undefined;
  let ok = true;
  for (let at = from; at < end && ok;) {
    const there = to + (at - from);
    const extent = Math.min(pmdAddrEnd(at, end) - at, pmdAddrEnd(there, Infinity) - there);
    ok = yield* moveExtent(vma, at, newVma, there, extent);
    at += extent;
  }
  notifyEnd(range);
  return ok;
}

/** Moves the part of one PMD that becomes part of one PMD. */
function* moveExtent(vma: Vma, at: number, newVma: Vma, there: number, extent: number): Task<boolean> {
  const { tables } = vma.mm.system;
  const { lanes } = tables;
  const old = findPmd(vma.mm, at);
  if (old < 0 || lanes[old] === 0) return true;
  const fresh = tables.make(newVma.mm.root, there, LEVEL_PMD);
  if (fresh < 0) return false;
  if (lanes[old] !== ENTRY_TABLE) {
    if (extent === 512 && lanes[fresh] === 0) {
      moveEntry(vma, old, fresh);
      return true;
    }
    yield* splitHugePmd(vma, at);
  }
  const target = tables.make(newVma.mm.root, there, LEVEL_PTE);
  if (target < 0) return false;
  const source = (lanes[old + 1] ?? 0) + 2 * (at & 511);
  for (let i = 0; i < 2 * extent; i += 2) moveEntry(vma, source + i, target + i);
  return true;
}

/** @kernel mm/mremap.c move_ptes (without: rmap locks, TLB flushes, soft-dirty, userfaultfd) */
function moveEntry(vma: Vma, from: number, to: number): void {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  if (lanes[from] === 0) return;
  accessPte(system, from, true);
  accessPte(system, to, true);
  lanes[to] = lanes[from] ?? 0;
  lanes[to + 1] = lanes[from + 1] ?? 0;
  lanes[from] = 0;
  lanes[from + 1] = 0;
}
