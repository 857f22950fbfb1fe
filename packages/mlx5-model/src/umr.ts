import { EFAULT, type Task } from '@hmm/kernel';
import { ENTRY_READ, ENTRY_WRITE } from '@hmm/ib-core';
import {
  DMA_MAPPING_ERROR,
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmDmaMapPfn,
} from '@hmm/mirror';
import type { Mlx5Device } from './mlx5-device.js';
import type { OdpMr } from './mlx5-mr.js';

/** Entries are zeroed. @kernel drivers/infiniband/hw/mlx5/mlx5_ib.h MLX5_IB_UPD_XLT_ZAP */
export const MLX5_IB_UPD_XLT_ZAP = 1;
/** The key goes live with the update. */
export const MLX5_IB_UPD_XLT_ENABLE = 2;
/** Entries say that the adapter may read, whatever the CPU may. */
export const MLX5_IB_UPD_XLT_DOWNGRADE = 4;

/**
 * Entries that the adapter writes at once: 64 bytes.
 * @kernel drivers/infiniband/hw/mlx5/umr.c mlx5r_umr_update_mr_pas (without: regions that are not on demand)
 */
export const GROUP_UNITS = 8;

/**
 * Rewrites the entries of `count` units from unit `idx` on, and of what shares a group with them, by requests that are
 * posted and waited for one after the other. The caller holds the region's mutex.
 * @returns 0, or `-EFAULT` where a page has no DMA address.
 * @kernel drivers/infiniband/hw/mlx5/umr.c mlx5r_umr_update_xlt (without: buffers for the entries and their
 * DMA mapping, retries after errors of the queue)
 */
export function* mlx5rUmrUpdateXlt(
  device: Mlx5Device,
  mr: OdpMr,
  idx: number,
  count: number,
  flags: number,
): Task<number> {
  const { sched } = device.kernel;
  const first = idx - (idx % GROUP_UNITS);
  const end = Math.min(mr.umem.pages, Math.ceil((idx + count) / GROUP_UNITS) * GROUP_UNITS);
  const chunk = device.options.chunkUnits;
  let ret = 0;
  for (let at = first; at < end && ret === 0; at += chunk) {
    const ns = device.timing.updateNs.value;
    if (!sched.delayFast(ns)) yield* sched.delay(ns);
    // What is absent keeps what the buffer has, which is the chunk before.
    const before = device.odp.staleChunks && at > first ? chunk : 0;
    const stop = Math.min(end, at + chunk);
    if ((flags & MLX5_IB_UPD_XLT_ZAP) !== 0) mr.mtt.fill(0, 2 * at, 2 * stop);
    else ret = mlx5OdpPopulateMtt(device, mr, at, stop, flags, before);
    device.counted.updates++;
  }
  sched.access(mr.object, true);
  if ((flags & MLX5_IB_UPD_XLT_ENABLE) !== 0) mr.live = true;
  return ret;
}

/**
 * The entries [from, to) from the region's list. @param before how many entries earlier the one is that an absent unit
 * gets; 0: it gets none. @kernel drivers/infiniband/hw/mlx5/odp.c populate_mtt (all)
 */
function mlx5OdpPopulateMtt(
  device: Mlx5Device,
  { umem, mtt }: OdpMr,
  from: number,
  to: number,
  flags: number,
  before: number,
): number {
  const { map } = umem;
  const { pfnList } = map;
  const downgrade = (flags & MLX5_IB_UPD_XLT_DOWNGRADE) !== 0;
  const { overCount } = device.odp;
  for (let idx = from; idx < to; idx++) {
    const slot = 2 * idx;
    const entry = pfnList[slot] ?? 0;
    if ((entry & HMM_PFN_VALID) === 0) {
      mtt[slot] = before > 0 ? (mtt[slot - 2 * before] ?? 0) : 0;
      mtt[slot + 1] = before > 0 ? (mtt[slot + 1 - 2 * before] ?? 0) : 0;
      continue;
    }
    if ((entry & HMM_PFN_DMA_MAPPED) === 0) {
      if (hmmDmaMapPfn(device.dma, map, idx) === DMA_MAPPING_ERROR) return -EFAULT;
      umem.npages++;
    } else if (overCount) umem.npages++;
    mtt[slot] = ENTRY_READ | ((entry & HMM_PFN_WRITE) !== 0 && !downgrade ? ENTRY_WRITE : 0);
    mtt[slot + 1] = pfnList[slot + 1] ?? 0;
  }
  return 0;
}
