import { EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import { ENTRY_TABLE, LEVEL_PMD, LEVEL_PTE } from '@hmm/kernel/internal';
import { anonVmaPrepare } from './anon-vma.js';
import { accessPte } from './observe.js';
import { findPmd, nextPmd, pmdAddrEnd } from './page-walk.js';
import { isMarkerPte, PTE_TYPE_MARKER } from './pte.js';
import { VM_HUGETLB, VM_LOCKED, VM_SPECIAL, type Vma } from './vma.js';
import { zapPageRangeSingle } from './zap.js';

/** @kernel mm/madvise.c is_valid_guard_vma (without: files) */
function isValidGuardVma(vma: Vma, allowLocked: boolean): boolean {
  const disallowed = VM_SPECIAL | VM_HUGETLB | (allowLocked ? 0 : VM_LOCKED);
  return (vma.flags & disallowed) === 0 && vma.isAnonymous();
}

/**
 * MADV_GUARD_INSTALL: nothing is mapped in the pages [start, end) any more, and an access to them raises SIGSEGV. What was
 * mapped is announced as CLEAR, if there was anything.
 * @returns 0, `-EINVAL` or `-ENOMEM`.
 * @kernel mm/madvise.c madvise_guard_install (without: files, the mark that a VMA may have guards, signals between two tries)
 */
export function* madviseGuardInstall(vma: Vma, start: number, end: number): Task<number> {
  if (!isValidGuardVma(vma, false)) return -EINVAL;
  if (vma.anonVma === null) yield* anonVmaPrepare(vma);
  for (;;) {
    const at = installGuards(vma, start, end);
    if (at < 0) return at;
    if (at === end) return 0;
    yield* zapPageRangeSingle(vma, start, end);
  }
}

/** Puts markers where nothing is, up to the first page where something is, or `end`; `-ENOMEM` without a page table. */
function installGuards(vma: Vma, start: number, end: number): number {
  const { system, root } = vma.mm;
  const { tables } = system;
  for (let vpn = start; vpn < end; vpn++) {
    const pmd = tables.make(root, vpn, LEVEL_PMD);
    if (pmd < 0) return -ENOMEM;
    const above = tables.lanes[pmd] ?? 0;
    if (above !== 0 && above !== ENTRY_TABLE) return vpn;
    const entry = tables.make(root, vpn, LEVEL_PTE);
    if (entry < 0) return -ENOMEM;
    const pte = tables.lanes[entry] ?? 0;
    accessPte(system, entry, pte === 0);
    if (pte !== 0 && !isMarkerPte(pte)) return vpn;
    tables.lanes[entry] = PTE_TYPE_MARKER;
    tables.lanes[entry + 1] = 0;
  }
  return end;
}

/**
 * MADV_GUARD_REMOVE: the pages [start, end) that were guarded can be had again, empty. Announces nothing.
 * @returns 0 or `-EINVAL`. @kernel mm/madvise.c madvise_guard_remove (without: files)
 */
export function madviseGuardRemove(vma: Vma, start: number, end: number): number {
  if (!isValidGuardVma(vma, true)) return -EINVAL;
  const { mm } = vma;
  const { lanes } = mm.system.tables;
  for (let at = nextPmd(mm, start, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    if (lanes[pmd] !== ENTRY_TABLE) continue;
    const first = (lanes[pmd + 1] ?? 0) + 2 * (at & 511);
    for (let entry = first; entry < first + 2 * (pmdAddrEnd(at, end) - at); entry += 2) {
      if (!isMarkerPte(lanes[entry] ?? 0)) continue;
      accessPte(mm.system, entry, true);
      lanes[entry] = 0;
    }
  }
  return 0;
}
