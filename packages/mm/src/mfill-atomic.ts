import {
  EAGAIN,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  ESRCH,
  PAGE_SIZE,
  SP_PREEMPT,
  type Task,
} from '@hmm/kernel';
import { ENTRY_TABLE, LEVEL_PMD, LEVEL_PTE } from '@hmm/kernel/internal';
import { anonVmaPrepare } from './anon-vma.js';
import { mmput } from './exit-mmap.js';
import { NO_PFN, PG_uptodate, ZERO_PFN } from './mem-map.js';
import { mmgetNotZero } from './mmget.js';
import { accessData, accessPte } from './observe.js';
import { allocPage } from './page-alloc.js';
import { PTE_SPECIAL } from './pte.js';
import { mkPte, mkPteForWrite } from './pte-make.js';
import { folioAddNewAnonRmap } from './rmap.js';
import { folioAddLruVma } from './swap.js';
import { type UserfaultfdCtx, validateRange, wakeUserfault } from './userfaultfd.js';
import { vmaLookup } from './vma-set.js';
import type { Vma } from './vma.js';

/** Puts something where nothing is, at lane `entry` of page `vpn`, the `i`th of its call; 0 or a negative errno. */
type FillPte = (vma: Vma, vpn: number, entry: number, i: number) => number;

/**
 * UFFDIO_COPY: brings the pages [start, start + pages) as copies of `src`, all of it or until something is in the way, and wakes who
 * waits for them. Announces nothing, since nothing was mapped.
 * @param src the caller's buffer, outside of the modelled memory, as long as the pages.
 * @returns 0; `-EAGAIN` when it got only a part of the way; `-EEXIST` where a page is there already; `-ENOENT` for pages that are
 * not of one registered VMA; `-EINVAL`, `-EFAULT` for a `src` that is too short, `-ENOMEM`, `-ESRCH`.
 * @kernel fs/userfaultfd.c userfaultfd_copy (without: its modes, mappings that change meanwhile)
 */
export function* userfaultfdCopy(
  ctx: UserfaultfdCtx,
  start: number,
  pages: number,
  src: Uint8Array,
): Task<number> {
  if (src.length < pages * PAGE_SIZE) return -EFAULT;
  return yield* fillAndWake(ctx, start, pages, (vma, vpn, entry, i) =>
    mfillAtomicPteCopy(vma, vpn, entry, src.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE)),
  );
}

/**
 * UFFDIO_ZEROPAGE: as {@link userfaultfdCopy}, with the shared zero page.
 * @kernel fs/userfaultfd.c userfaultfd_zeropage (without: its modes, mappings that change meanwhile)
 */
export function* userfaultfdZeropage(ctx: UserfaultfdCtx, start: number, pages: number): Task<number> {
  return yield* fillAndWake(ctx, start, pages, mfillAtomicPteZeropage);
}

function* fillAndWake(ctx: UserfaultfdCtx, start: number, pages: number, fill: FillPte): Task<number> {
  const { mm } = ctx;
  const error = validateRange(start, pages);
  if (error !== 0) return error;
  if (!mmgetNotZero(mm)) return -ESRCH;
  const done = yield* mfillAtomic(ctx, start, pages, fill);
  yield* mmput(mm);
  if (done < 0) return done;
  wakeUserfault(ctx, start, start + done);
  return done === pages ? 0 : -EAGAIN;
}

/** @returns pages brought, or a negative errno where it was none. @kernel mm/userfaultfd.c mfill_atomic (without: hugetlb, shared memory, per-VMA locks, signals) */
function* mfillAtomic(ctx: UserfaultfdCtx, start: number, pages: number, fill: FillPte): Task<number> {
  const { mm } = ctx;
  const { sched } = mm.kernel;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  let done = 0;
  let error = 0;
  const vma = vmaLookup(mm, start);
  if (vma === undefined || vma.uffd === null || start + pages > vma.end) error = -ENOENT;
  else if (!vma.isAnonymous()) error = -EINVAL;
  else {
    if (vma.anonVma === null) yield* anonVmaPrepare(vma);
    for (; done < pages && error === 0; done++) {
      if (sched.exploring) yield SP_PREEMPT;
      error = mfillAtomicPte(vma, start + done, done, fill);
      if (error !== 0) break;
    }
  }
  mm.mmapLock.unlockRead();
  return done > 0 ? done : error;
}

function mfillAtomicPte(vma: Vma, vpn: number, i: number, fill: FillPte): number {
  const { system, root } = vma.mm;
  const { tables } = system;
  const pmd = tables.make(root, vpn, LEVEL_PMD);
  if (pmd < 0) return -ENOMEM;
  const above = tables.lanes[pmd] ?? 0;
  if (above !== 0 && above !== ENTRY_TABLE) return -EEXIST;
  const entry = tables.make(root, vpn, LEVEL_PTE);
  if (entry < 0) return -ENOMEM;
  accessPte(system, entry, true);
  return tables.lanes[entry] === 0 ? fill(vma, vpn, entry, i) : -EEXIST;
}

/** @kernel mm/userfaultfd.c mfill_atomic_pte_copy, mfill_atomic_install_pte (without: sources that are not in memory, memory control groups, pages of files) */
function mfillAtomicPteCopy(vma: Vma, vpn: number, entry: number, bytes: Uint8Array): number {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  const pfn = allocPage(system);
  if (pfn === NO_PFN) return -ENOMEM;
  accessData(system, pfn, true);
  const [first = 0] = bytes;
  if (bytes.every((byte) => byte === first)) system.data.fillPage(pfn, first);
  else system.data.write(pfn, 0, bytes);
  system.map.set(pfn, PG_uptodate);
  folioAddNewAnonRmap(pfn, vma, vpn, true);
  folioAddLruVma(vma, pfn);
  mm.rssAnon++;
  lanes[entry] = mkPteForWrite(vma);
  lanes[entry + 1] = pfn;
  return 0;
}

/** @kernel mm/userfaultfd.c mfill_atomic_pte_zeropage (without: address spaces that forbid the zero page) */
function mfillAtomicPteZeropage(vma: Vma, _vpn: number, entry: number): number {
  const { lanes } = vma.mm.system.tables;
  lanes[entry] = mkPte(vma) | PTE_SPECIAL;
  lanes[entry + 1] = ZERO_PFN;
  return 0;
}
