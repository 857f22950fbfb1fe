import { HmmError } from '@hmm/kernel';
import type { MmStruct } from './mm-struct.js';
import type { Vma } from './vma.js';

/** Index of the first VMA that ends after page `vpn`; the number of VMAs when none does. */
export function vmaIndex(mm: MmStruct, vpn: number): number {
  const { vmas } = mm;
  let low = 0;
  let high = vmas.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((vmas[mid]?.end ?? 0) > vpn) high = mid;
    else low = mid + 1;
  }
  return low;
}

/** The first VMA that ends after page `vpn`. @kernel mm/mmap.c find_vma (all) */
export function findVma(mm: MmStruct, vpn: number): Vma | undefined {
  return mm.vmas[vmaIndex(mm, vpn)];
}

/** The VMA that page `vpn` is in. @kernel include/linux/mm.h vma_lookup (all) */
export function vmaLookup(mm: MmStruct, vpn: number): Vma | undefined {
  const recent = mm.recentVma;
  if (recent !== undefined && recent.start <= vpn && vpn < recent.end) return recent;
  const vma = findVma(mm, vpn);
  if (vma === undefined || vma.start > vpn) return undefined;
  mm.recentVma = vma;
  return vma;
}

/** The first VMA that overlaps the pages [start, end). @kernel mm/mmap.c find_vma_intersection (all) */
export function findVmaIntersection(mm: MmStruct, start: number, end: number): Vma | undefined {
  const vma = findVma(mm, start);
  return vma !== undefined && vma.start < end ? vma : undefined;
}

/** The VMA before `vma`. */
export function vmaPrev(vma: Vma): Vma | undefined {
  return vma.mm.vmas[vmaIndex(vma.mm, vma.start) - 1];
}

/** The VMA after `vma`. */
export function vmaNext(vma: Vma): Vma | undefined {
  return vma.mm.vmas[vmaIndex(vma.mm, vma.start) + 1];
}

/** Puts `vma` in its place. @throws HmmError `VMA_OVERLAP` when it is taken. */
export function vmaSetInsert(vma: Vma): void {
  const { mm } = vma;
  const at = vmaIndex(mm, vma.start);
  if ((mm.vmas[at]?.start ?? Infinity) < vma.end)
    throw new HmmError('VMA_OVERLAP', 'a VMA is inserted over another', { start: vma.start, end: vma.end });
  mm.vmas.splice(at, 0, vma);
}

/** Takes `vma` out. */
export function vmaSetRemove(vma: Vma): void {
  const { mm } = vma;
  const at = mm.vmas.indexOf(vma);
  if (at < 0) throw new HmmError('VMA_UNKNOWN', 'a VMA is removed that is not there', { start: vma.start });
  mm.vmas.splice(at, 1);
  mm.recentVma = undefined;
}
