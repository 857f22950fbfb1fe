import type { FunctionNaming } from '@hmm/device';

/** Under which names the kernel knows the functions of rxe and of the RDMA core. */
export const RXE_NAMING: FunctionNaming = {
  functions: {
    lockAndZap: 'rxe_ib_invalidate_range',
    mapRange: 'ib_umem_odp_map_dma_and_lock',
  },
  methods: {},
  unnamed: [
    'atomicRequest',
    'calledBack',
    'calledBackTask',
    'copyPiece',
    'frameCopy',
    'withRetries',
    'wronglyCopied',
  ],
};
