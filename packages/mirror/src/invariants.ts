/**
 * The safety invariants that speak of what this package fills in, as predicates: the broken rule in words, or undefined.
 *
 * @packageDocumentation
 */
import { type MmStruct } from '@hmm/mm';
import { findPmd, PTE_HUGE } from '@hmm/mm/internal';
import type { HmmDmaMap } from './hmm-dma.js';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_LANES,
  HMM_PFN_P2PDMA_BUS,
  HMM_PFN_VALID,
  hmmPfnToMapOrder,
  type HmmRange,
} from './hmm-range.js';

/** What a broken invariant says; undefined where it holds. */
export type Broken = string | undefined;

/**
 * I66, of a range just filled and still valid: the order of a page is no more than that of the CPU's mapping, and in the
 * whole block of that order pages and frames run in step.
 */
export function I66(mm: MmStruct, { start, end, hmmPfns }: HmmRange): Broken {
  for (let vpn = start; vpn < end; vpn++) {
    const slot = HMM_PFN_LANES * (vpn - start);
    const flags = hmmPfns[slot] ?? 0;
    const order = hmmPfnToMapOrder(flags);
    if ((flags & HMM_PFN_VALID) === 0 || order === 0) continue;
    const pmd = findPmd(mm, vpn);
    const huge = pmd >= 0 && ((mm.system.tables.lanes[pmd] ?? 0) & PTE_HUGE) !== 0;
    if (order > (huge ? 9 : 0)) return `page ${vpn} has order ${order}, more than its mapping`;
    const pfn = hmmPfns[slot + 1] ?? 0;
    if (pfn % 2 ** order !== vpn % 2 ** order) return `page ${vpn} of order ${order} is in frame ${pfn}`;
    if (vpn + 1 < end && (vpn + 1) % 2 ** order !== 0 && hmmPfns[slot + 3] !== pfn + 1)
      return `the frames of the block of page ${vpn} are not consecutive`;
  }
  return undefined;
}

/**
 * I68: a slot says DMA_MAPPED exactly if the device has one live mapping for it, of the slot's own page.
 * @param live the device's mappings: the frame at each DMA address. Bus addresses of peers have none.
 */
export function I68({ pfnList, dmaList, nrEntries }: HmmDmaMap, live: ReadonlyMap<number, number>): Broken {
  if (dmaList === undefined) return undefined;
  const used = new Set<number>();
  for (let idx = 0; idx < nrEntries; idx++) {
    const flags = pfnList[HMM_PFN_LANES * idx] ?? 0;
    if ((flags & HMM_PFN_DMA_MAPPED) === 0 || (flags & HMM_PFN_P2PDMA_BUS) !== 0) continue;
    const dma = dmaList[idx] ?? 0;
    const [is, should] = [live.get(dma), pfnList[HMM_PFN_LANES * idx + 1]];
    if (is !== should)
      return `slot ${idx} is mapped at ${dma}, which is frame ${is ?? 'none'}, not ${should ?? 0}`;
    if (used.has(dma)) return `slot ${idx} shares the mapping at ${dma}`;
    used.add(dma);
  }
  return used.size === live.size ? undefined : `${live.size} mappings are live, ${used.size} are in slots`;
}
