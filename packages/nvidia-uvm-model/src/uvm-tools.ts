import { defineTracepoint, type Kernel } from '@hmm/kernel';

const PACKED = 'kind (4 bits: access, cause or reason), source << 4, destination << 6, count << 8';

/** Events, under the names of the UVM tools. The value column is packed, see {@link unpackUvmEvent}. @uvm uvm_types.h UvmEventType */
export const UvmEventTypeCpuFault = defineTracepoint('uvm:CpuFault', PACKED);
export const UvmEventTypeMigration = defineTracepoint('uvm:Migration', PACKED);
export const UvmEventTypeGpuFault = defineTracepoint('uvm:GpuFault', PACKED);
export const UvmEventTypeGpuFaultReplay = defineTracepoint('uvm:GpuFaultReplay', 'batch id');
export const UvmEventTypeFaultBufferOverflow = defineTracepoint('uvm:FaultBufferOverflow', 'entries lost');
export const UvmEventTypeFatalFault = defineTracepoint('uvm:FatalFault', PACKED);
export const UvmEventTypeReadDuplicate = defineTracepoint('uvm:ReadDuplicate', PACKED);
export const UvmEventTypeReadDuplicateInvalidate = defineTracepoint('uvm:ReadDuplicateInvalidate', PACKED);
export const UvmEventTypePageSizeChange = defineTracepoint('uvm:PageSizeChange', 'pages of the new leaf');
export const UvmEventTypeThrashingDetected = defineTracepoint('uvm:ThrashingDetected', PACKED);
export const UvmEventTypeThrottlingStart = defineTracepoint('uvm:ThrottlingStart', PACKED);
export const UvmEventTypeThrottlingEnd = defineTracepoint('uvm:ThrottlingEnd', PACKED);
export const UvmEventTypeMapRemote = defineTracepoint('uvm:MapRemote', PACKED);
export const UvmEventTypeEviction = defineTracepoint('uvm:Eviction', PACKED);
export const UvmEventTypeAccessCounter = defineTracepoint('uvm:AccessCounter', 'sub-granule bits');

/** The parts of a packed event value. */
export interface UvmEventValue {
  /** Access type, cause or fatal reason. */
  readonly kind: number;
  /** Processor ids; the throttled or faulting processor is the source. */
  readonly src: number;
  readonly dst: number;
  /** Faults that the record stands for. */
  readonly count: number;
}

/** Packs the value of an event. */
export function packUvmEvent(kind: number, src: number, dst: number, count = 1): number {
  return kind | (src << 4) | (dst << 6) | (count << 8);
}

/** The parts of a packed event value. */
export function unpackUvmEvent(value: number): UvmEventValue {
  return { kind: value & 15, src: (value >>> 4) & 3, dst: (value >>> 6) & 3, count: value >>> 8 };
}

/** Bytes one way and the other. */
export interface UvmBytes {
  toDevice: number;
  toHost: number;
}

/** Totals that the driver keeps, all from 0 at load. */
export class UvmCounters {
  gpuFaults = 0;
  duplicateFaults = 0;
  coalescedFaults = 0;
  batches = 0;
  services = 0;
  replays = 0;
  cpuFaults = 0;
  fatalFaults = 0;
  remoteMaps = 0;
  throttled = 0;
  pinned = 0;
  thrashingPages = 0;
  evictions = 0;
  evictedPages = 0;
  /** Notifier callbacks for changes that are not the driver's own. */
  invalidations = 0;
  retries = 0;
  transfers = 0;
  zeroedPages = 0;
  /** Pages that changed residency, by copy or by first touch. */
  movedPages = 0;
  copyNs = 0;
  /** Bytes by `UvmEventMigrationCause*`, index 0 unused. */
  readonly bytes: UvmBytes[] = Array.from({ length: 6 }, () => ({ toDevice: 0, toHost: 0 }));
}

/** The recording end of the driver: every event goes through here into the machine's trace. */
export class UvmTools {
  readonly counters = new UvmCounters();
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Whether anyone listens. */
  get on(): boolean {
    return this.kernel.trace.on;
  }

  /** Records an event at virtual time `time` (ns); `value` as {@link packUvmEvent} makes it. */
  record(kind: number, time: number, vpn: number, pages: number, value: number): void {
    const { trace, sched } = this.kernel;
    if (trace.on) trace.emit(kind, time, sched.current.id, vpn, pages, value);
  }
}
