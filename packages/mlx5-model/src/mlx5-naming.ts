import type { FunctionNaming } from '@hmm/device';

/** Under which names the kernel knows the functions of mlx5_ib and of the RDMA core. */
export const MLX5_NAMING: FunctionNaming = {
  functions: {
    mapRange: 'ib_umem_odp_map_dma_and_lock',
  },
  methods: {},
  unnamed: ['atomicRequest', 'calledBack', 'calledBackTask', 'frameCopy', 'putMr', 'useMr', 'withRetries'],
};
