import { ENTRY_TABLE, pteIndex } from '@hmm/kernel/internal';
import { type MmStruct } from '@hmm/mm';
import {
  findPmd,
  isDeviceExclusivePte,
  isDevicePrivatePte,
  PG_zone_device_coherent,
  PTE_SPECIAL,
  ptePresent,
} from '@hmm/mm/internal';
import { RES_CPU, RES_CPU_MAPPED, RES_DEVICE } from './residency.js';

/**
 * Where page `vpn` of a process is by the CPU's page tables, and whether the CPU maps it: `RES_CPU`, `RES_DEVICE` and
 * `RES_CPU_MAPPED` bits, 0 for a page that is nowhere (never touched, swapped out, being migrated). A huge page (of THP,
 * of hugetlb, in device memory) answers for each of its pages. It looks and changes nothing: no accessed bit, no fault.
 */
export function cpuResidency(mm: MmStruct, vpn: number): number {
  return ofEntry(mm, vpn, residencyOf, 0);
}

/** The frame of device memory that page `vpn` of a process is in, by the CPU's page tables; -1 where it is in none. */
export function deviceFrame(mm: MmStruct, vpn: number): number {
  return ofEntry(mm, vpn, frameOf, -1);
}

/** What `read` says of the entry of a page; `without` where there is no table for it. */
function ofEntry(
  mm: MmStruct,
  vpn: number,
  read: (mm: MmStruct, flags: number, pfn: number) => number,
  without: number,
): number {
  const { lanes } = mm.system.tables;
  const pmd = findPmd(mm, vpn);
  if (pmd < 0) return without;
  const flags = lanes[pmd] ?? 0;
  const payload = lanes[pmd + 1] ?? 0;
  if (flags !== ENTRY_TABLE) return read(mm, flags, payload + pteIndex(vpn));
  const entry = payload + 2 * pteIndex(vpn);
  return read(mm, lanes[entry] ?? 0, lanes[entry + 1] ?? 0);
}

function frameOf(mm: MmStruct, flags: number, pfn: number): number {
  return (residencyOf(mm, flags, pfn) & RES_DEVICE) === 0 ? -1 : pfn;
}

/** Of one entry, whose payload, where it has a frame, is `pfn`. */
function residencyOf(mm: MmStruct, flags: number, pfn: number): number {
  if (ptePresent(flags)) {
    const onDevice = (flags & PTE_SPECIAL) === 0 && mm.system.map.test(pfn, PG_zone_device_coherent);
    return (onDevice ? RES_DEVICE : RES_CPU) | RES_CPU_MAPPED;
  }
  if (isDeviceExclusivePte(flags)) return RES_CPU;
  return isDevicePrivatePte(flags) ? RES_DEVICE : 0;
}
