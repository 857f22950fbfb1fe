import { decodeMapValue, TP_UMEM_ODP_MAP, TP_UMEM_ODP_UNMAP } from '@hmm/ib-core';
import type { Trace } from '@hmm/kernel';
import { decodeRangeValue, mmuNotifierEventName } from '@hmm/mmu-notifier';
import { TP_INVALIDATE_RANGE_START } from '@hmm/mmu-notifier/internal';
import { regionOf } from '@hmm/operations/internal';

/** An event as it is recorded. */
export type RecordedEvent = readonly (string | number)[];

/**
 * What the kernel did within the regions since the trace was cleared, in order: invalidations, and what regions on demand asked
 * for and forgot. @param processOf 0 or 1 by the id of an mm
 */
export function recordedEvents(trace: Trace, processOf: (mm: number) => number): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  for (let i = 0; i < trace.length; i++) {
    const where = regionOf(trace.page[i] ?? 0);
    if (where === undefined) continue;
    const value = trace.value[i] ?? 0;
    const place = [where.region, where.offset, trace.pages[i] ?? 0];
    switch (trace.kind[i]) {
      case TP_INVALIDATE_RANGE_START: {
        const { event, mm } = decodeRangeValue(value);
        events.push(['inv', mmuNotifierEventName(event), processOf(mm), ...place]);
        break;
      }
      case TP_UMEM_ODP_MAP: {
        const { write, fault, result } = decodeMapValue(value);
        events.push(['map', ...place, write ? 1 : 0, fault ? 1 : 0, result]);
        break;
      }
      case TP_UMEM_ODP_UNMAP:
        events.push(['unmap', ...place]);
        break;
      default:
    }
  }
  return events;
}
