import { HmmError, type MaybeTask, type Task } from '@hmm/kernel';
import { ENTRY_TABLE, LEVEL_PMD, LEVEL_PTE } from '@hmm/kernel/internal';
import { anonVmaPrepare } from './anon-vma.js';
import { doAnonymousPage } from './do-anonymous-page.js';
import { removeDeviceExclusiveEntry } from './device-exclusive.js';
import { doFault } from './do-fault.js';
import { doDevicePrivatePage, doHugePmdDevicePrivate } from './do-device-private-page.js';
import { doSwapPage } from './do-swap-page.js';
import { doWpPage } from './do-wp-page.js';
import {
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  VM_FAULT_FALLBACK,
  VM_FAULT_HWPOISON,
  VM_FAULT_OOM,
  VM_FAULT_SIGSEGV,
} from './fault.js';
import { createHugePmd, doHugePmdFault } from './huge-fault.js';
import { pmdIsNonPresent } from './huge-non-present.js';
import { accessPte, accessTables } from './observe.js';
import {
  isDevicePrivatePte,
  isHuge,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_HWPOISON,
  PTE_TYPE_MARKER,
  PTE_TYPE_MASK,
  PTE_TYPE_MIGRATION,
  PTE_TYPE_SWAP,
  PTE_WRITE,
  PTE_YOUNG,
} from './pte.js';
import { migrationEntryWait } from './folio-lock.js';
import { handleUserfault } from './userfaultfd.js';
import type { Vma } from './vma.js';

/**
 * Makes page `vpn` of `vma` accessible. The caller holds mmap_lock for reading and has tested the VMA's permissions;
 * it repeats the access afterwards, which may fault again (a page may come home read-only and have to be copied then).
 *
 * @param flags `FAULT_FLAG_*`.
 * @returns 0, or `VM_FAULT_*` error bits, or with `FAULT_FLAG_ALLOW_RETRY` also `VM_FAULT_RETRY`: at once, or by a task.
 * @kernel mm/memory.c handle_mm_fault (without: memory control groups, per-VMA locks, the test of flags,
 * fault accounting)
 */
export function handleMmFault(vma: Vma, vpn: number, flags: number): MaybeTask<number> {
  const fast = handleMmFaultFast(vma, vpn, flags);
  if (fast >= 0) return fast;
  if (vma.ops !== null) return vma.ops.fault(vma, vpn, flags);
  const { tables } = vma.mm.system;
  const pmd = tables.make(vma.mm.root, vpn, LEVEL_PMD);
  if (pmd < 0) return VM_FAULT_OOM;
  if (tables.lanes[pmd] === ENTRY_TABLE) return pteLevelFault(vma, vpn, pmd, flags);
  return pmdLevelFault(vma, vpn, pmd, flags);
}

/**
 * A fault where no table of small entries is yet.
 * @kernel mm/memory.c __handle_mm_fault (without: huge PUDs, DAX, NUMA hints, userfaultfd's write protection)
 */
function* pmdLevelFault(vma: Vma, vpn: number, pmd: number, flags: number): Task<number> {
  const { tables } = vma.mm.system;
  if (tables.lanes[pmd] === 0) {
    if (vma.uffd !== null) return yield* handleUserfault(vma, vpn, flags);
    const ret = yield* createHugePmd(vma, vpn, pmd, flags);
    if (ret !== VM_FAULT_FALLBACK) return ret;
  } else if (isHuge(tables.lanes[pmd] ?? 0)) {
    if (pmdIsNonPresent(vma.mm.system, pmd)) return yield* nonpresentHugeFault(vma, vpn, pmd, flags);
    const ret = yield* doHugePmdFault(vma, vpn, pmd, flags);
    if (ret !== VM_FAULT_FALLBACK) return ret;
  }
  const served = pteLevelFault(vma, vpn, pmd, flags);
  return typeof served === 'number' ? served : yield* served;
}

/**
 * A fault where small entries are, or a table of them can be made.
 * @kernel mm/memory.c __handle_mm_fault (without: huge PUDs, DAX, NUMA hints, userfaultfd's write protection)
 */
function pteLevelFault(vma: Vma, vpn: number, pmd: number, flags: number): MaybeTask<number> {
  const { tables } = vma.mm.system;
  if (vma.mm.kernel.sched.exploring) accessTables(vma.mm, tables.findPte(vma.mm.root, vpn) < 0);
  const entry = tables.make(vma.mm.root, vpn, LEVEL_PTE);
  if (entry < 0) return tables.lanes[pmd] === 0 ? VM_FAULT_OOM : 0;
  return handlePteFault(vma, vpn, entry, flags);
}

/**
 * The faults that need no scheduling point, while nobody explores: a first touch of anonymous memory, and an entry that
 * allows the access already.
 * @returns as {@link handleMmFault}, or -1 for the long way.
 */
export function handleMmFaultFast(vma: Vma, vpn: number, flags: number): number {
  const { mm } = vma;
  const { system } = mm;
  if (system.kernel.sched.exploring) return -1;
  const { tables } = system;
  const entry = tables.findPte(mm.root, vpn);
  if (entry < 0) return -1;
  const pte = tables.lanes[entry] ?? 0;
  if (pte !== 0) return presentPteFault(system.tables.lanes, entry, pte, flags) ? 0 : -1;
  if (vma.file !== null || vma.ops !== null || vma.uffd !== null) return -1;
  if (vma.anonVma === null && (flags & FAULT_FLAG_WRITE) !== 0) return -1;
  return doAnonymousPage(vma, vpn, entry, flags);
}

/** Whether a present entry allows the access; marks it used then. */
function presentPteFault(lanes: Int32Array, entry: number, pte: number, flags: number): boolean {
  if ((pte & PTE_PRESENT) === 0) return false;
  if ((flags & FAULT_FLAG_WRITE) === 0) {
    if ((flags & FAULT_FLAG_UNSHARE) !== 0) return false;
    lanes[entry] = pte | PTE_YOUNG;
    return true;
  }
  if ((pte & PTE_WRITE) === 0) return false;
  lanes[entry] = pte | PTE_YOUNG | PTE_DIRTY;
  return true;
}

/**
 * Hands the fault on to whom the entry says.
 * @kernel mm/memory.c handle_pte_fault (without: NUMA hints, userfaultfd's markers, flushes of spurious
 * faults)
 */
function handlePteFault(vma: Vma, vpn: number, entry: number, flags: number): MaybeTask<number> {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const pte = lanes[entry] ?? 0;
  // Who serves the fault of an entry that is not present reports what it changes.
  accessPte(system, entry, pte === 0 || (pte & PTE_PRESENT) !== 0);
  if (pte === 0) {
    if (!vma.isAnonymous()) return doFault(vma, vpn, entry, flags);
    if (vma.uffd !== null) return handleUserfault(vma, vpn, flags);
    if ((flags & FAULT_FLAG_WRITE) !== 0) return anonymousWrite(vma, vpn, entry, flags);
    return doAnonymousPage(vma, vpn, entry, flags);
  }
  if ((pte & PTE_PRESENT) === 0) return nonpresentFault(vma, vpn, entry, flags);
  if (presentPteFault(lanes, entry, pte, flags)) return 0;
  return doWpPage(vma, vpn, entry, flags);
}

function* anonymousWrite(vma: Vma, vpn: number, entry: number, flags: number): Task<number> {
  yield* anonVmaPrepare(vma);
  return doAnonymousPage(vma, vpn, entry, flags);
}

/**
 * A fault on a huge entry that is not present.
 * @kernel mm/memory.c __handle_mm_fault (without: huge PUDs, DAX, NUMA hints, userfaultfd's write protection)
 */
function* nonpresentHugeFault(vma: Vma, vpn: number, pmd: number, flags: number): Task<number> {
  const { mm } = vma;
  const { lanes } = mm.system.tables;
  const folio = lanes[pmd + 1] ?? 0;
  accessPte(mm.system, pmd, false);
  if (isDevicePrivatePte(lanes[pmd] ?? 0)) return yield* doHugePmdDevicePrivate(vma, vpn, folio, flags);
  return yield* migrationEntryWait(mm, vpn, folio);
}

/** @kernel mm/memory.c do_swap_page (without: userfaultfd's markers) */
function nonpresentFault(vma: Vma, vpn: number, entry: number, flags: number): MaybeTask<number> {
  const { lanes } = vma.mm.system.tables;
  const pte = lanes[entry] ?? 0;
  const payload = lanes[entry + 1] ?? 0;
  switch (pte & PTE_TYPE_MASK) {
    case PTE_TYPE_SWAP:
      return doSwapPage(vma, vpn, entry, flags);
    case PTE_TYPE_MIGRATION:
      return migrationEntryWait(vma.mm, vpn, payload);
    case PTE_TYPE_DEVICE_PRIVATE:
      return doDevicePrivatePage(vma, vpn, payload, flags);
    case PTE_TYPE_DEVICE_EXCLUSIVE:
      return removeDeviceExclusiveEntry(vma, vpn, entry);
    case PTE_TYPE_HWPOISON:
      return VM_FAULT_HWPOISON;
    case PTE_TYPE_MARKER:
      return VM_FAULT_SIGSEGV;
    default:
      throw new HmmError('BAD_PTE', 'a page-table entry of no known kind', { flags: pte, vpn });
  }
}
