import { ACCESS_PREFETCH, ACCESS_READ, AccessBatch } from './access-batch.js';
import { traceEventKind, type EventBatch } from './event-batch.js';
import type { TraceSink } from './trace-output.js';

/**
 * A sink that hands on accesses and, as further accesses of one byte each, the CPU and GPU faults among the
 * observations: a first-touch trace, all that formats which record only faults (perf, ftrace, Nsight Systems) can drive
 * a model with. Accesses that did not fault are missing from it.
 */
export function faultsAsAccesses(take: (batch: AccessBatch) => void): TraceSink {
  const batch = new AccessBatch(4096);
  return {
    accesses: take,
    events: (events) => {
      for (let i = 0; i < events.length; i++) {
        if (!addFault(events, i, batch)) continue;
        if (batch.length < batch.capacity) continue;
        take(batch);
        batch.clear();
      }
      if (batch.length > 0) take(batch);
      batch.clear();
    },
  };
}

const CPU_FAULT = traceEventKind('cpu_fault');
const GPU_FAULT = traceEventKind('gpu_fault');

function addFault(events: EventBatch, i: number, batch: AccessBatch): boolean {
  const kind = events.kind[i];
  if (kind !== CPU_FAULT && kind !== GPU_FAULT) return false;
  const access = Math.min(ACCESS_PREFETCH, Math.max(ACCESS_READ, events.flags[i] ?? 0));
  const place = [events.page[i] ?? 0, events.offset[i] ?? 0] as const;
  batch.push(...place, 1, access, events.agent[i] ?? 0, events.thread[i] ?? 0, events.time[i] ?? -1);
  return true;
}
