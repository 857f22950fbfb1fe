import { defineTracepoint, type Kernel } from '@hmm/kernel';
import {
  declareState,
  EVENT_CPU_FAULT,
  EVENT_DEVICE_FAULT,
  EVENT_LANES,
  EVENT_MAPPED,
  EVENT_MAPPED_REMOTE,
  EVENT_OTHER,
  EVENT_REPLAY,
  EVENT_THRASHING,
  EVENT_THROTTLED,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
} from '@hmm/kernel/internal';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_ID_MAX_PROCESSORS,
  type UvmProcessorId,
  type UvmProcessorMask,
} from './uvm-types.js';

const PACKED = 'kind (4 bits: access, cause or reason), source << 4, destination << 9, count << 14';
const ACCESS_TEXT = ['', 'read', 'write', 'atomic', 'prefetch'];
const accessText = (value: number): string => ACCESS_TEXT[unpackUvmEvent(value).kind] ?? '';
/** The GPU that raised a fault, that was throttled, that maps pages or has to give some up. */
const gpuOfSource = (value: number): number => unpackUvmEvent(value).src - UVM_ID_GPU;
/** The GPU that pages go to; else the one that they come from. */
const gpuOfCopy = (value: number): number => {
  const { src, dst } = unpackUvmEvent(value);
  return (dst === UVM_ID_CPU ? src : dst) - UVM_ID_GPU;
};
/** Why data moved, as all drivers name it, by `UvmEventMigrationCause*`. */
const CAUSES = ['fault', 'user', 'fault', 'prefetch', 'eviction', 'counter'];

/** Events, under the names of the UVM tools. The value column is packed, see {@link unpackUvmEvent}. @uvm uvm_types.h UvmEventType */
export const UvmEventTypeCpuFault = defineTracepoint('uvm:CpuFault', {
  value: PACKED,
  means: EVENT_CPU_FAULT,
  says: 'the driver serves an access of the CPU to a page that it has not mapped',
  text: accessText,
});
export const UvmEventTypeMigration = defineTracepoint('uvm:Migration', {
  value: PACKED,
  means: (value) => (unpackUvmEvent(value).dst === UVM_ID_CPU ? EVENT_TO_HOST : EVENT_TO_DEVICE),
  says: 'pages change their residency, by a copy or by a first touch',
  cause: (value) => CAUSES[unpackUvmEvent(value).kind] ?? 'fault',
  gpu: gpuOfCopy,
});
export const UvmEventTypeGpuFault = defineTracepoint('uvm:GpuFault', {
  value: PACKED,
  means: EVENT_DEVICE_FAULT,
  says: 'the driver has read a fault record of the GPU',
  text: accessText,
  gpu: gpuOfSource,
});
export const UvmEventTypeGpuFaultReplay = defineTracepoint('uvm:GpuFaultReplay', {
  value: 'batch id',
  means: EVENT_REPLAY,
  says: 'the GPU is told to do the waiting accesses again',
});
export const UvmEventTypeFaultBufferOverflow = defineTracepoint('uvm:FaultBufferOverflow', {
  value: 'entries lost',
  means: EVENT_OTHER,
  says: 'the fault buffer was full, and records are lost',
  lane: EVENT_LANES[EVENT_DEVICE_FAULT] ?? '',
});
export const UvmEventTypeFatalFault = defineTracepoint('uvm:FatalFault', {
  value: PACKED,
  means: EVENT_OTHER,
  says: 'the fault cannot be served: the context is dead',
  lane: EVENT_LANES[EVENT_DEVICE_FAULT] ?? '',
  gpu: gpuOfSource,
});
export const UvmEventTypeReadDuplicate = defineTracepoint('uvm:ReadDuplicate', {
  value: PACKED,
  means: EVENT_OTHER,
  says: 'a page that is mostly read gets a second copy',
  lane: EVENT_LANES[EVENT_TO_DEVICE] ?? '',
  gpu: gpuOfSource,
});
export const UvmEventTypeReadDuplicateInvalidate = defineTracepoint('uvm:ReadDuplicateInvalidate', {
  value: PACKED,
  means: EVENT_OTHER,
  says: 'a write ends the second copy of a page',
  lane: EVENT_LANES[EVENT_TO_DEVICE] ?? '',
  gpu: gpuOfSource,
});
export const UvmEventTypePageSizeChange = defineTracepoint('uvm:PageSizeChange', {
  value: 'pages of the new leaf',
  means: EVENT_MAPPED,
  says: 'the device maps pages by leaves of another size',
});
export const UvmEventTypeThrashingDetected = defineTracepoint('uvm:ThrashingDetected', {
  value: 'the processors, a bit per id',
  means: EVENT_THRASHING,
  says: 'pages are found to go back and forth',
});
export const UvmEventTypeThrottlingStart = defineTracepoint('uvm:ThrottlingStart', {
  value: PACKED,
  means: EVENT_THROTTLED,
  says: 'an access has to wait since its page goes back and forth',
  gpu: gpuOfSource,
});
export const UvmEventTypeThrottlingEnd = defineTracepoint('uvm:ThrottlingEnd', {
  value: PACKED,
  means: EVENT_OTHER,
  says: 'an access that had to wait goes on',
  lane: EVENT_LANES[EVENT_THROTTLED] ?? '',
  gpu: gpuOfSource,
});
export const UvmEventTypeMapRemote = defineTracepoint('uvm:MapRemote', {
  value: PACKED,
  means: EVENT_MAPPED_REMOTE,
  says: 'pages are mapped while their data stays on the other side',
  gpu: gpuOfSource,
});
export const UvmEventTypeEviction = defineTracepoint('uvm:Eviction', {
  value: PACKED,
  means: EVENT_OTHER,
  says: 'a chunk of device memory is taken away to make room',
  lane: 'eviction',
  gpu: gpuOfSource,
});
export const UvmEventTypeAccessCounter = defineTracepoint('uvm:AccessCounter', {
  value: 'sub-granule bits',
  means: EVENT_OTHER,
  says: 'an access counter of the GPU has reached its threshold',
});

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
  return kind | (src << 4) | (dst << 9) | (count << 14);
}

/** The parts of a packed event value. */
export function unpackUvmEvent(value: number): UvmEventValue {
  return { kind: value & 15, src: (value >>> 4) & 31, dst: (value >>> 9) & 31, count: value >>> 14 };
}

/** The value of an event that names processors, one bit per id: as a number that is not negative. */
export function packUvmProcessors(mask: UvmProcessorMask): number {
  return mask >>> 0;
}

/** Bytes from the host, to the host, and from one GPU to another. */
export interface UvmBytes {
  toDevice: number;
  toHost: number;
  betweenDevices: number;
}

/** Totals that the driver keeps, all from 0 at load. */
export class UvmCounters {
  /** What of it is state. */
  static readonly state = declareState({
    gpuFaults: 'value',
    duplicateFaults: 'value',
    coalescedFaults: 'value',
    batches: 'value',
    services: 'value',
    replays: 'value',
    cpuFaults: 'value',
    fatalFaults: 'value',
    remoteMaps: 'value',
    throttled: 'value',
    pinned: 'value',
    thrashingPages: 'value',
    evictions: 'value',
    evictedPages: 'value',
    invalidations: 'value',
    retries: 'value',
    transfers: 'value',
    zeroedPages: 'value',
    movedPages: 'value',
    copyNs: 'value',
    explicitNs: 'value',
    bytes: 'constant',
    pairs: 'constant',
  });

  gpuFaults = 0;
  /** What copies and fills that the program asked for took beside their kernels, ns. */
  explicitNs = 0;
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
  /** Bytes from processor `a` to processor `b`, at `a * UVM_ID_MAX_PROCESSORS + b`. */
  readonly pairs: Float64Array = new Float64Array(UVM_ID_MAX_PROCESSORS ** 2);
  /** Bytes by `UvmEventMigrationCause*`, index 0 unused. */
  readonly bytes: UvmBytes[] = Array.from({ length: 6 }, () => ({
    toDevice: 0,
    toHost: 0,
    betweenDevices: 0,
  }));
}

/** The recording end of the driver: every event goes through here into the machine's trace. */
export class UvmTools {
  /** What of it is state. */
  static readonly state = declareState({
    counters: 'constant',
    kernel: 'constant',
  });

  readonly counters = new UvmCounters();
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Counts bytes that went from one processor to another, by `UvmEventMigrationCause*`. */
  countBytes(cause: number, source: UvmProcessorId, destination: UvmProcessorId, bytes: number): void {
    const { pairs, bytes: byCause } = this.counters;
    const pair = source * UVM_ID_MAX_PROCESSORS + destination;
    pairs[pair] = (pairs[pair] ?? 0) + bytes;
    const totals = byCause[cause];
    if (totals === undefined) return;
    if (destination === UVM_ID_CPU) totals.toHost += bytes;
    else if (source === UVM_ID_CPU) totals.toDevice += bytes;
    else totals.betweenDevices += bytes;
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
