import { ENOMEM, EOPNOTSUPP } from '@hmm/kernel';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_LANES,
  HMM_PFN_P2PDMA,
  HMM_PFN_P2PDMA_BUS,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
} from './hmm-range.js';

/** No DMA address. @kernel include/linux/dma-mapping.h DMA_MAPPING_ERROR */
export const DMA_MAPPING_ERROR = -1;

/** How a device reaches a page of another device. @kernel include/linux/pci-p2pdma.h pci_p2pdma_map_type (from 6.16 on) */
export type P2pdmaMapType = 'none' | 'bus-addr' | 'thru-host-bridge' | 'not-supported';

/** What DMA mapping needs to know of a device; the platform's IOMMU or direct mapping stands behind it. */
export interface DmaDevice {
  /** Whether CPU and device must hand memory over to each other (or bounce it): then pages cannot stay mapped. */
  readonly needSync: boolean;
  /** Whether an unmap does anything (an IOMMU, DMA debugging). */
  readonly needUnmap: boolean;
  /** How the device reaches the page. */
  p2pdma(pfn: number): P2pdmaMapType;
  /** Maps one page; {@link DMA_MAPPING_ERROR} when that fails. */
  mapPage(pfn: number, write: boolean): number;
  /** Undoes {@link mapPage}. */
  unmapPage(dma: number): void;
}

/** Pages of a device's range with their DMA addresses. @kernel include/linux/hmm-dma.h hmm_dma_map (from 6.16 on) */
export interface HmmDmaMap {
  /** As `HmmRange.hmmPfns`, which it is meant to be. */
  readonly pfnList: Int32Array;
  /** DMA address of each slot that is mapped. Left out where an unmap does nothing. */
  readonly dmaList: Float64Array | undefined;
  /** Slots. */
  readonly nrEntries: number;
}

/**
 * Makes the lists for `nrEntries` pages.
 * @returns the map, `-EOPNOTSUPP` (the device cannot keep pages mapped) or `-ENOMEM`.
 * @kernel mm/hmm.c hmm_dma_map_alloc (from 6.16 on)
 */
export function hmmDmaMapAlloc(dev: DmaDevice, nrEntries: number): HmmDmaMap | number {
  if (dev.needSync) return -EOPNOTSUPP;
  if (!Number.isSafeInteger(nrEntries) || nrEntries <= 0 || nrEntries > 2 ** 30) return -ENOMEM;
  return {
    pfnList: new Int32Array(HMM_PFN_LANES * nrEntries),
    dmaList: dev.needUnmap ? new Float64Array(nrEntries) : undefined,
    nrEntries,
  };
}

/**
 * Maps the page in slot `idx` for the device, or reports the address that it is mapped at already.
 * @returns the DMA address or {@link DMA_MAPPING_ERROR}.
 * @kernel mm/hmm.c hmm_dma_map_pfn (from 6.16 on)
 */
export function hmmDmaMapPfn(dev: DmaDevice, map: HmmDmaMap, idx: number): number {
  const slot = HMM_PFN_LANES * idx;
  const flags = map.pfnList[slot] ?? 0;
  const pfn = map.pfnList[slot + 1] ?? 0;
  if ((flags & HMM_PFN_DMA_MAPPED) !== 0 && (flags & HMM_PFN_P2PDMA_BUS) === 0) {
    return map.dmaList?.[idx] ?? dev.mapPage(pfn, (flags & HMM_PFN_WRITE) !== 0);
  }
  const type = dev.p2pdma(pfn);
  if (type === 'not-supported') return failed(map, slot);
  let extra = 0;
  if (type === 'bus-addr') extra = HMM_PFN_P2PDMA_BUS;
  else if (type === 'thru-host-bridge') extra = HMM_PFN_P2PDMA;
  const dma = dev.mapPage(pfn, (flags & HMM_PFN_WRITE) !== 0);
  if (dma === DMA_MAPPING_ERROR) return failed(map, slot);
  if (map.dmaList !== undefined) map.dmaList[idx] = dma;
  map.pfnList[slot] = flags | extra | HMM_PFN_DMA_MAPPED;
  return dma;
}

function failed(map: HmmDmaMap, slot: number): number {
  map.pfnList[slot] = (map.pfnList[slot] ?? 0) & ~HMM_PFN_P2PDMA;
  return DMA_MAPPING_ERROR;
}

/**
 * Undoes the mapping of slot `idx`. Must come before the slot is filled with another page.
 * @returns whether there was one.
 * @kernel mm/hmm.c hmm_dma_unmap_pfn (from 6.16 on)
 */
export function hmmDmaUnmapPfn(dev: DmaDevice, map: HmmDmaMap, idx: number): boolean {
  const slot = HMM_PFN_LANES * idx;
  const flags = map.pfnList[slot] ?? 0;
  const mapped = HMM_PFN_VALID | HMM_PFN_DMA_MAPPED;
  if ((flags & mapped) !== mapped) return false;
  if ((flags & HMM_PFN_P2PDMA_BUS) === 0 && map.dmaList !== undefined) dev.unmapPage(map.dmaList[idx] ?? 0);
  map.pfnList[slot] = flags & ~(HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS);
  return true;
}
