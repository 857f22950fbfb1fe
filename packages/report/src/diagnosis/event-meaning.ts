import { tracepoint } from '@hmm/kernel';

/** What an event means to a diagnosis, whichever driver it comes from. */
export const MEANS_NOTHING = 0;
export const GPU_FAULT = 1;
export const CPU_FAULT = 2;
/** Pages went to device memory; the value says why, as an index into {@link CAUSE_NAMES}. */
export const TO_DEVICE = 3;
/** Pages came to host memory. */
export const TO_HOST = 4;
export const THRASHING = 5;
export const THROTTLED = 6;
/** Pages were mapped on the device while their data stayed in host memory, or the other way round. */
export const MAPPED_REMOTE = 7;
export const REPLAY = 8;
export const RETRY = 9;
/** A notifier told the driver that pages change. */
export const INVALIDATED = 10;
export const BATCH = 11;

/** One of the meanings. */
export type Meaning = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11;

/** Why pages moved, by UVM's numbers, and one more for drivers that tell a CPU fault apart. */
export const CAUSE_NAMES: readonly string[] = [
  'fault',
  'user',
  'fault',
  'prefetch',
  'eviction',
  'counter',
  'cpu-fault',
];
const CAUSE_USER = 1;
const CAUSE_CPU_FAULT = 6;

const BY_NAME: Readonly<Record<string, Meaning>> = {
  'uvm:GpuFault': GPU_FAULT,
  'uvm:CpuFault': CPU_FAULT,
  'uvm:ThrashingDetected': THRASHING,
  'uvm:ThrottlingStart': THROTTLED,
  'uvm:MapRemote': MAPPED_REMOTE,
  'uvm:GpuFaultReplay': REPLAY,
  'nouveau:svm_fault': GPU_FAULT,
  'nouveau:svm_fault_batch': BATCH,
  'nouveau:svm_fault_replay': REPLAY,
  'nouveau:svm_fault_retry': RETRY,
  'nouveau:pfnmap': MAPPED_REMOTE,
  'nouveau:migrate_to_vram': TO_DEVICE,
  'nouveau:migrate_to_ram': TO_HOST,
  'mmu_notifier:interval_invalidate': INVALIDATED,
};

/** Tells what events mean; remembers it by tracepoint id. */
export class EventMeanings {
  private readonly byKind: Meaning[] = [];
  private readonly packed: boolean[] = [];

  /** What an event of tracepoint `kind` with `value` means. */
  of(kind: number, value: number): Meaning {
    const known = this.byKind[kind] ?? this.learn(kind);
    if (this.packed[kind] !== true) return known;
    return destination(value) === 0 ? TO_HOST : TO_DEVICE;
  }

  /** Why pages moved: an index into {@link CAUSE_NAMES}. */
  cause(kind: number, value: number): number {
    if (this.packed[kind] === true) return value & 15;
    return this.byKind[kind] === TO_HOST ? CAUSE_CPU_FAULT : CAUSE_USER;
  }

  private learn(kind: number): Meaning {
    const { name } = tracepoint(kind);
    const meaning = BY_NAME[name] ?? MEANS_NOTHING;
    this.byKind[kind] = meaning;
    this.packed[kind] = name === 'uvm:Migration';
    return meaning;
  }
}

/** Destination processor of a packed migration value: 0 the host. */
function destination(value: number): number {
  return (value >>> 6) & 3;
}
