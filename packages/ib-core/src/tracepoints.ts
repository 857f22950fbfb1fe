import { defineTracepoint, errnoName } from '@hmm/kernel';
import {
  EVENT_CANCELLED,
  EVENT_DEVICE_FAULT,
  EVENT_MAPPED,
  EVENT_MAPPED_REMOTE,
  EVENT_OTHER,
  EVENT_REPLAY,
  EVENT_RETRY,
  type EventMeaning,
} from '@hmm/kernel/internal';
import { wcStatusName } from '@hmm/rdma-nic';
import type { IbUmemOdp } from './umem-odp.js';

/** Lanes of an adapter. */
const FAULTS = 'adapter faults';
const TABLE = 'adapter table';
const CONNECTION = 'queue pairs';

/** Results are negative errnos or counts; this makes them positive. */
const RESULT_BIAS = 4096;

/**
 * The pages of a byte range were asked for: page and length are the pages that it touches.
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_map_dma_and_lock (all), its return
 */
export const TP_UMEM_ODP_MAP = defineTracepoint('ib_umem_odp:map_dma_and_lock', {
  value: '(result + 4096) * 4 + 2 for a fault + 1 for writing',
  means: meaningOfMap,
  says: 'the region asks HMM what the CPU maps, and takes it over',
  text: textOfMap,
  lane: TABLE,
});
/**
 * Pages lost their mapping, or would have if they had one.
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_unmap_dma_pages (all)
 */
export const TP_UMEM_ODP_UNMAP = defineTracepoint('ib_umem_odp:unmap_dma_pages', {
  value: 'mm id',
  means: EVENT_MAPPED,
  says: 'the region forgets pages',
  lane: TABLE,
});
/** A walk was overtaken by an invalidation. */
export const TP_UMEM_ODP_RETRY = defineTracepoint('ib_umem_odp:retry', {
  value: '',
  means: EVENT_RETRY,
  says: 'what was read of the page tables is stale, and is read again',
});
/** A packet met a page that the adapter has no translation for. */
export const TP_PAGE_FAULT = defineTracepoint('rdma:page_fault', {
  value: '1 for writing',
  means: EVENT_DEVICE_FAULT,
  says: 'the adapter meets a page that its table does not have',
  text: (value) => (value === 1 ? 'write' : 'read'),
  lane: FAULTS,
});
/** The adapter goes on with what had to wait. */
export const TP_RESUME = defineTracepoint('rdma:resume', {
  value: '0, or the negative errno of a fault that could not be served',
  means: (value) => (value === 0 ? EVENT_REPLAY : EVENT_CANCELLED),
  says: 'the adapter is told to go on with the request that waits',
  text: (value) => (value === 0 ? '' : `-${errnoName(value)}`),
  lane: FAULTS,
});
/** A work request completed. */
export const TP_COMPLETION = defineTracepoint('rdma:completion', {
  value: 'IB_WC_*',
  means: EVENT_OTHER,
  says: 'a work request completes',
  text: wcStatusName,
  lane: CONNECTION,
});

/** What {@link TP_UMEM_ODP_MAP} carries: write, fault and the result (units or a negative errno). */
export function decodeMapValue(value: number): { write: boolean; fault: boolean; result: number } {
  const result = Math.floor(value / 4) - RESULT_BIAS;
  return { write: value % 2 === 1, fault: Math.floor(value / 2) % 2 === 1, result };
}

function meaningOfMap(value: number): EventMeaning {
  const { fault, result } = decodeMapValue(value);
  if (result < 0) return EVENT_CANCELLED;
  return fault ? EVENT_MAPPED_REMOTE : EVENT_MAPPED;
}

function textOfMap(value: number): string {
  const { write, fault, result } = decodeMapValue(value);
  const asked = fault ? `fault for ${write ? 'writing' : 'reading'}` : 'what is present';
  return result < 0 ? `${asked}: -${errnoName(result)}` : asked;
}

/** Records a return of `ibUmemOdpMapDmaAndLock`. */
export function traceMap(
  umem: IbUmemOdp,
  start: number,
  pages: number,
  flags: { readonly write: boolean; readonly fault: boolean },
  result: number,
): void {
  const { kernel } = umem.owningMm;
  if (!kernel.trace.on) return;
  const bits = (flags.fault ? 2 : 0) + (flags.write ? 1 : 0);
  kernel.emit(TP_UMEM_ODP_MAP, start, pages, (result + RESULT_BIAS) * 4 + bits);
}
