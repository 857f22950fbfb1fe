import { VM_HUGETLB, VM_READ, VM_SPECIAL, type Vma } from '@hmm/mm';
import {
  isDevicePrivatePte,
  isSwapPte,
  PG_zone_device_coherent,
  PTE_PRESENT,
  PTE_WRITE,
} from '@hmm/mm/internal';
import type { CpuEntry } from './cpu-entry.js';
import {
  HMM_PFN_DEVICE,
  HMM_PFN_EMPTY,
  HMM_PFN_ERROR,
  HMM_PFN_READ,
  HMM_PFN_UNADDRESSABLE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
} from './hmm-pfn.js';

/** Whether no device may mirror a VMA. */
export function unmirrored(vma: Vma): boolean {
  return (vma.flags & (VM_HUGETLB | VM_SPECIAL)) !== 0;
}

/** Writes what an entry is into a slot; both versions write the same. @v13 patches 12 and 13 hmm_vma_walk, @kernel 4.14 mm/hmm.c hmm_vma_walk_pmd */
export function storeSlot(vma: Vma, { flags, pfn }: CpuEntry, pfns: Int32Array, slot: number): void {
  const at = 2 * slot;
  const read = HMM_PFN_VALID | ((vma.flags & VM_READ) !== 0 ? HMM_PFN_READ : 0);
  const write = (flags & PTE_WRITE) !== 0 ? HMM_PFN_WRITE : 0;
  pfns[at + 1] = 0;
  if (flags === 0) pfns[at] = HMM_PFN_EMPTY;
  else if ((flags & PTE_PRESENT) !== 0) {
    const device = vma.mm.system.map.test(pfn, PG_zone_device_coherent) ? HMM_PFN_DEVICE : 0;
    pfns[at] = read | write | device;
    pfns[at + 1] = pfn;
  } else if (isDevicePrivatePte(flags)) {
    pfns[at] = read | write | HMM_PFN_DEVICE | HMM_PFN_UNADDRESSABLE;
    pfns[at + 1] = pfn;
  } else pfns[at] = isSwapPte(flags) ? 0 : HMM_PFN_ERROR;
}
