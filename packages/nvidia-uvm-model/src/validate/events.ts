import { PAGE_SIZE, type Trace, type TraceEvent } from '@hmm/kernel';
import {
  UvmEventTypeCpuFault,
  UvmEventTypeGpuFault,
  UvmEventTypeGpuFaultReplay,
  UvmEventTypeMapRemote,
  UvmEventTypeMigration,
  UvmEventTypeThrashingDetected,
  UvmEventTypeThrottlingStart,
  unpackUvmEvent,
} from '../uvm-tools.js';
import { UVM_ID_CPU, UVM_ID_GPU, type UvmProcessorId } from '../uvm-types.js';
import type { CaptureEvent } from './capture.js';

/**
 * The driver's events as a capture lists them: by start time, those that begin inside the allocation, one GPU fault record
 * for each batch (a fault group).
 */
export function captureEvents(trace: Trace, base: number, bytes: number): CaptureEvent[] {
  const out: CaptureEvent[] = [];
  let group: { event: CaptureEvent; last: number } | undefined;
  for (let i = 0; i < trace.length; i++) {
    const event = trace.at(i);
    if (event.kind === UvmEventTypeGpuFaultReplay) {
      group = undefined;
      continue;
    }
    const made = captureEvent(event, base);
    if (made === undefined || made.at < 0 || made.at >= bytes) continue;
    if (event.kind === UvmEventTypeGpuFault) {
      if (group !== undefined) continue;
      group = { event: made, last: made.at };
    }
    out.push(made);
  }
  return out.sort((a, b) => a.t - b.t);
}

type Ends = Pick<CaptureEvent, 'src' | 'dst'>;

/** The number of a GPU, from 0; -1 for the CPU. */
function gpuNumber(id: UvmProcessorId): number {
  return id - UVM_ID_GPU;
}

function directionOf(src: UvmProcessorId, dst: UvmProcessorId): string {
  if (dst === UVM_ID_CPU) return 'dtoh';
  return src === UVM_ID_CPU ? 'htod' : 'dtod';
}

function captureEvent(event: TraceEvent, base: number): CaptureEvent | undefined {
  const { kind, src, dst, count } = unpackUvmEvent(event.value);
  const at = (event.page - base) * PAGE_SIZE;
  const bytes = event.length * PAGE_SIZE;
  const made = (e: string, v: number, f: number, ends: Ends): CaptureEvent => {
    return { e, at, v, f, ...ends, t: event.time, dt: -1 };
  };
  switch (event.kind) {
    case UvmEventTypeCpuFault:
      return made('cpu_fault', 0, kind, { src: 0, dst: 0 });
    case UvmEventTypeGpuFault:
      return made('gpu_fault', count, kind, { src: gpuNumber(src), dst: 0 });
    case UvmEventTypeMigration:
      return made(directionOf(src, dst), bytes, kind, {
        src: Math.max(0, gpuNumber(src)),
        dst: Math.max(0, gpuNumber(dst)),
      });
    case UvmEventTypeThrashingDetected:
      return made('thrash', bytes, event.value & (1 << UVM_ID_CPU), {
        src: event.value >>> UVM_ID_GPU,
        dst: 0,
      });
    case UvmEventTypeThrottlingStart:
      return made('throttle', 0, src === UVM_ID_CPU ? 1 : 0, { src: gpuNumber(src), dst: 0 });
    case UvmEventTypeMapRemote:
      return made('remote_map', bytes, kind, { src: gpuNumber(src), dst: gpuNumber(dst) });
    default:
      return undefined;
  }
}
