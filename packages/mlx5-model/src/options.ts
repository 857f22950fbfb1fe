import { ODP_AS_7_3, ODP_INTENDED, type OdpSwitches } from '@hmm/ib-core';

/** How an adapter reports faults: by work request or remote key, parsed by the driver; or by memory key, parsed by firmware. */
export type FaultScheme = 'transport' | 'memory';

/** What the driver asks of its adapter, and what can be set smaller. */
export interface Mlx5Options {
  readonly scheme: FaultScheme;
  /** Pages of a child of an implicit region: 1 GiB where addresses have up to 48 bits. */
  readonly leafPages: number;
  /** Whether a region may have 65,536 pages and more. */
  readonly extendedOffset: boolean;
  /** Units of one chunk of an update: 512 MiB of pages, less where memory is short. */
  readonly chunkUnits: number;
  /** Fault services at once. */
  readonly workers: number;
  readonly odp: OdpSwitches;
}

/** A leaf of 1 GiB. @kernel drivers/infiniband/hw/mlx5/odp.c MLX5_IMR_MTT_ENTRIES */
export const LEAF_PAGES = 2 ** 18;
/** A leaf where all interleavings are explored, and each begins with a new one. */
export const SMALL_LEAF_PAGES = 512;
/** Entries that a buffer of 2^20 - 64 bytes holds. @kernel drivers/infiniband/hw/mlx5/umr.c MLX5_MAX_UMR_CHUNK */
export const CHUNK_UNITS = 131_064;
/**
 * Active works of the event queue.
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5r_odp_create_eq (without: the event queue itself, its
 * interrupt and memory pool)
 */
export const FAULT_WORKERS = 32;

/** The transport scheme, as adapters before 2024 have it. */
export const MLX5_TRANSPORT: Mlx5Options = {
  scheme: 'transport',
  leafPages: LEAF_PAGES,
  extendedOffset: true,
  chunkUnits: CHUNK_UNITS,
  workers: FAULT_WORKERS,
  odp: ODP_INTENDED,
};

/** The memory scheme. */
export const MLX5_MEMORY: Mlx5Options = { ...MLX5_TRANSPORT, scheme: 'memory' };

/** The transport scheme with the hazards of Linux 7.3. */
export const MLX5_7_3: Mlx5Options = { ...MLX5_TRANSPORT, odp: ODP_AS_7_3 };
