import { EACCES, EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { MMU_NOTIFY_PROTECTION_VMA, mmHasNotifiers } from '@hmm/mmu-notifier';
import { changeHugePmd, splitHugePmd } from './huge-memory.js';
import { hugetlbChangeProtection } from './hugetlb.js';
import { pmdIsNonPresent } from './huge-non-present.js';
import { PG_anon } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';
import { PROT_EXEC, PROT_READ, PROT_SEM, PROT_WRITE, calcVmProtBits } from './mmap.js';
import { populateVmaPageRange } from './mlock.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { findPmd, nextPmd, nextPud, pmdAddrEnd } from './page-walk.js';
import {
  PTE_EXCLUSIVE,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_MASK,
  PTE_TYPE_MIGRATION,
  PTE_WRITE,
} from './pte.js';
import { mkPte, canChangePteWritable } from './pte-make.js';
import { wraps } from './task-size.js';
import { vmaModify } from './vma-merge.js';
import { findVma } from './vma-set.js';
import { VM_ACCOUNT, VM_EXEC, VM_HUGETLB, VM_LOCKED, VM_READ, VM_SHARED, VM_WRITE, type Vma } from './vma.js';

const ACCESS = VM_READ | VM_WRITE | VM_EXEC;

/**
 * Sets the protection of the pages [start, start + pages).
 * @returns 0; `-EINVAL` for unknown bits; `-ENOMEM` where a page is in no VMA: what lies before it has been changed;
 * `-EACCES` where a driver's mapping refuses.
 * @kernel mm/mprotect.c do_mprotect_pkey (without: protection keys, growing mappings, personality,
 * VM_MAYWRITE and its kin, security hooks)
 */
export function* sysMprotect(mm: MmStruct, start: number, pages: number, prot: number): Task<number> {
  if (pages === 0) return 0;
  if (wraps(start, pages)) return -ENOMEM;
  if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) !== 0) return -EINVAL;
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const ret = yield* mprotectRange(mm, start, start + pages, prot);
  mm.mmapLock.unlockWrite();
  return ret;
}

function* mprotectRange(mm: MmStruct, start: number, end: number, prot: number): Task<number> {
  let at = start;
  for (let vma = findVma(mm, start); vma !== undefined && vma.start < end; vma = findVma(mm, at)) {
    if (vma.start > at) return -ENOMEM;
    const flags = (vma.flags & ~ACCESS) | calcVmProtBits(prot);
    if (vma.ops?.mayProtect?.(vma, flags) === false) return -EACCES;
    const fixed = yield* mprotectFixup(vma, at, Math.min(vma.end, end), flags);
    if (typeof fixed === 'number') return fixed;
    at = fixed.end;
    if (at >= end) return 0;
  }
  return -ENOMEM;
}

/**
 * Changes one part of a VMA. @returns the VMA that it is in now.
 * @kernel mm/mprotect.c mprotect_fixup (without: sealed mappings, commit limits, PFN permissions, soft-dirty)
 */
function* mprotectFixup(vma: Vma, start: number, end: number, wanted: number): Task<Vma | number> {
  const old = vma.flags;
  if (wanted === old) return vma;
  let flags = wanted;
  if ((flags & VM_WRITE) !== 0) {
    if ((old & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED)) === 0) flags |= VM_ACCOUNT;
  } else if (vma.isAnonymous() && vma.anonVma === null) flags &= ~VM_ACCOUNT;
  const part = yield* vmaModify(vma, start, end, flags);
  if (typeof part === 'number') return part;
  part.flags = flags;
  yield* changeProtection(part, start, end);
  if ((old & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && (flags & VM_WRITE) !== 0)
    yield* populateVmaPageRange(part, start, end);
  return part;
}

/**
 * Gives the entries of [start, end) the VMA's protection, announced once as PROTECTION_VMA from the first populated PUD
 * on.
 * @kernel mm/mprotect.c change_protection (without: NUMA hints, userfaultfd's write protection, huge PUDs)
 */
function* changeProtection(vma: Vma, start: number, end: number): Task {
  if ((vma.flags & VM_HUGETLB) !== 0) {
    yield* hugetlbChangeProtection(vma, start, end);
    return;
  }
  const { mm } = vma;
  const first = nextPud(mm, start, end);
  if (first >= end) return;
  const range = mmHasNotifiers(mm)
    ? yield* notifyStart(mm, MMU_NOTIFY_PROTECTION_VMA, first, end)
    : undefined;
  const { lanes } = mm.system.tables;
  for (let at = nextPmd(mm, first, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    const next = pmdAddrEnd(at, end);
    if (lanes[pmd] !== ENTRY_TABLE) {
      if (next - at === 512) {
        if (pmdIsNonPresent(mm.system, pmd)) changeNonPresentHugePmd(mm.system, pmd);
        else changeHugePmd(vma, pmd);
        continue;
      }
      yield* splitHugePmd(vma, at);
    }
    if (lanes[pmd] === ENTRY_TABLE) changePteRange(vma, (lanes[pmd + 1] ?? 0) + 2 * (at & 511), next - at);
  }
  notifyEnd(range);
}

/** @kernel mm/mprotect.c change_pte_range (without: NUMA hints, userfaultfd, soft-dirty, markers) */
function changePteRange(vma: Vma, first: number, count: number): void {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const protection = mkPte(vma) & (PTE_WRITE | PTE_PROTNONE);
  for (let entry = first; entry < first + 2 * count; entry += 2) {
    const pte = lanes[entry] ?? 0;
    if (pte === 0) continue;
    accessPte(system, entry, true);
    if ((pte & PTE_PRESENT) === 0) {
      lanes[entry] = protectNonpresent(system, pte, lanes[entry + 1] ?? 0);
      continue;
    }
    const now = (pte & ~(PTE_WRITE | PTE_PROTNONE)) | protection;
    lanes[entry] = canChangePteWritable(vma, now, lanes[entry + 1] ?? 0) ? now | PTE_WRITE : now;
  }
}

/** @kernel mm/huge_memory.c change_non_present_huge_pmd (from 6.19 on) */
function changeNonPresentHugePmd(system: MemorySystem, pmd: number): void {
  const { lanes } = system.tables;
  accessPte(system, pmd, true);
  lanes[pmd] = protectNonpresent(system, lanes[pmd] ?? 0, lanes[pmd + 1] ?? 0);
}

/** A writable entry that is not present becomes a readable one; never the other way round. */
function protectNonpresent(system: MemorySystem, pte: number, pfn: number): number {
  if ((pte & PTE_WRITE) === 0) return pte;
  switch (pte & PTE_TYPE_MASK) {
    case PTE_TYPE_MIGRATION:
      return (pte & ~PTE_WRITE) | (system.map.test(system.map.folio(pfn), PG_anon) ? PTE_EXCLUSIVE : 0);
    case PTE_TYPE_DEVICE_PRIVATE:
    case PTE_TYPE_DEVICE_EXCLUSIVE:
      return pte & ~PTE_WRITE;
    default:
      return pte;
  }
}
