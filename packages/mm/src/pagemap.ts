import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { HUGE_ZERO_PFN, PG_anon } from './mem-map.js';
import type { MmStruct } from './mm-struct.js';
import { findPmd } from './page-walk.js';
import {
  PTE_HUGE,
  PTE_PRESENT,
  PTE_SPECIAL,
  isDeviceExclusivePte,
  isDevicePrivatePte,
  isMarkerPte,
  isMigrationPte,
} from './pte.js';
import { pageMapcount } from './rmap.js';

/** What `/proc/PID/pagemap` tells of a page; the kernel's bits 63, 62, 61 and 56. */
export const PM_PRESENT = 8;
export const PM_SWAP = 4;
export const PM_FILE = 2;
export const PM_MMAP_EXCLUSIVE = 1;

/**
 * The `PM_*` bits of page `vpn`.
 * @kernel fs/proc/task_mmu.c pagemap_pmd_range (without: frame numbers, soft-dirty, userfaultfd's write
 * protection)
 */
export function pagemapEntry(mm: MmStruct, vpn: number): number {
  const { lanes } = mm.system.tables;
  const pmd = findPmd(mm, vpn);
  if (pmd < 0) return 0;
  const flags = lanes[pmd] ?? 0;
  const huge = (lanes[pmd + 1] ?? 0) + (vpn & 511);
  if ((flags & PTE_HUGE) !== 0)
    return (flags & PTE_PRESENT) !== 0 ? presentHugeBits(mm, huge) : pteToPagemapEntry(mm, flags, huge);
  if (flags !== ENTRY_TABLE) return 0;
  const entry = (lanes[pmd + 1] ?? 0) + 2 * (vpn & 511);
  return pteToPagemapEntry(mm, lanes[entry] ?? 0, lanes[entry + 1] ?? 0);
}

/**
 * @kernel fs/proc/task_mmu.c pte_to_pagemap_entry (without: frame numbers and swap offsets, soft-dirty,
 * userfaultfd)
 */
function pteToPagemapEntry(mm: MmStruct, pte: number, pfn: number): number {
  const { map } = mm.system;
  if (pte === 0 || isMarkerPte(pte)) return 0;
  if ((pte & PTE_PRESENT) !== 0) return (pte & PTE_SPECIAL) !== 0 ? PM_PRESENT : presentBits(mm, pfn);
  const named = isMigrationPte(pte) || isDevicePrivatePte(pte) || isDeviceExclusivePte(pte);
  return named && !map.test(map.folio(pfn), PG_anon) ? PM_SWAP | PM_FILE : PM_SWAP;
}

function presentHugeBits(mm: MmStruct, pfn: number): number {
  const { does } = mm.kernel;
  if (does.pagemapHugeZeroPlain && mm.system.map.folio(pfn) === HUGE_ZERO_PFN) return PM_PRESENT;
  return presentBits(mm, pfn);
}

function presentBits(mm: MmStruct, pfn: number): number {
  const { system } = mm;
  const file = system.map.test(system.map.folio(pfn), PG_anon) ? 0 : PM_FILE;
  return PM_PRESENT | file | (pageMapcount(system, pfn) === 1 ? PM_MMAP_EXCLUSIVE : 0);
}
