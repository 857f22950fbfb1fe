export {
  DMA_MAPPING_ERROR,
  hmmDmaMapAlloc,
  hmmDmaMapPfn,
  hmmDmaUnmapPfn,
  type DmaDevice,
  type HmmDmaMap,
  type P2pdmaMapType,
} from './hmm-dma.js';
export {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_ERROR,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_LANES,
  HMM_PFN_ORDER_SHIFT,
  HMM_PFN_P2PDMA,
  HMM_PFN_P2PDMA_BUS,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  HMM_RANGE_DEFAULT_TIMEOUT,
  hmmPfnToMapOrder,
  type HmmRange,
} from './hmm-range.js';
export { hmmRangeFault, hmmRangeFaultUnlockedTimeout } from './hmm.js';
export { I66, I68 } from './invariants.js';
