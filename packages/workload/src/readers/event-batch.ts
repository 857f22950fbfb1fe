/** What a row of an {@link EventBatch} reports. */
export type TraceEventName =
  | 'alloc'
  | 'free'
  | 'memcpy_htod'
  | 'memcpy_dtoh'
  | 'memcpy_dtod'
  | 'kernel'
  | 'cpu_fault'
  | 'gpu_fault'
  | 'htod'
  | 'dtoh'
  | 'dtod'
  | 'thrash'
  | 'throttle'
  | 'remote_map'
  | 'advise'
  | 'prefetch'
  | 'duel'
  | 'mm_migrate_pages'
  | 'mm_migrate_pages_start'
  | 'set_migration_pte'
  | 'remove_migration_pte';

/** Names by id: {@link EventBatch.kind} is an index into this list. The order is part of no file format. */
export const TRACE_EVENT_NAMES: readonly TraceEventName[] = [
  'alloc',
  'free',
  'memcpy_htod',
  'memcpy_dtoh',
  'memcpy_dtod',
  'kernel',
  'cpu_fault',
  'gpu_fault',
  'htod',
  'dtoh',
  'dtod',
  'thrash',
  'throttle',
  'remote_map',
  'advise',
  'prefetch',
  'duel',
  'mm_migrate_pages',
  'mm_migrate_pages_start',
  'set_migration_pte',
  'remove_migration_pte',
];

/** The id of an event name. */
export function traceEventKind(name: TraceEventName): number {
  return TRACE_EVENT_NAMES.indexOf(name);
}

/** One observation, as a reader hands it to {@link EventBatch.push}. */
export interface TraceObservation {
  /** What was seen. */
  readonly name: TraceEventName;
  /** Start, ns; `NO_TIME` where unknown. */
  readonly time: number;
  /** Duration in ns, -1 where the format has none. */
  readonly duration?: number;
  /** First page, -1 where the event has no address. */
  readonly page?: number;
  /** Byte offset inside that page. */
  readonly offset?: number;
  /** Bytes moved, mapped or allocated. */
  readonly bytes?: number;
  /** What the event counts: fault groups, pages migrated, a pte, a run number. */
  readonly value?: number;
  /** Access type (`ACCESS_*`) of a fault, cause of a migration, error code of a CPU fault. */
  readonly flags?: number;
  /** Agent that acts: `AGENT_CPU` or 1 + GPU number. */
  readonly agent?: number;
  /** Thread, warp or stream. */
  readonly thread?: number;
  /** Kernel, allocation or process name. */
  readonly label?: string;
}

/**
 * Observations as columns: what a real system *did* (faults, migrations, kernels), to check a model against,
 * where accesses are what *drives* a model. Only the first `length` rows mean something.
 */
export class EventBatch {
  /** Rows in use. */
  length = 0;
  /** Rows that fit. */
  readonly capacity: number;
  /** Index into {@link TRACE_EVENT_NAMES}. */
  readonly kind: Uint8Array;
  /** Start, ns. */
  readonly time: Float64Array;
  /** Duration, ns; -1 where there is none. */
  readonly duration: Float64Array;
  /** First page; -1 where there is none. */
  readonly page: Float64Array;
  /** Byte offset inside that page. */
  readonly offset: Uint16Array;
  /** Bytes. */
  readonly bytes: Float64Array;
  /** As the event says. */
  readonly value: Float64Array;
  /** As the event says. */
  readonly flags: Float64Array;
  /** Agent. */
  readonly agent: Uint8Array;
  /** Thread, warp or stream. */
  readonly thread: Float64Array;
  /** Labels, '' where there is none. */
  readonly label: string[];

  constructor(capacity = 4096) {
    this.capacity = capacity;
    this.kind = new Uint8Array(capacity);
    this.time = new Float64Array(capacity);
    this.duration = new Float64Array(capacity);
    this.page = new Float64Array(capacity);
    this.offset = new Uint16Array(capacity);
    this.bytes = new Float64Array(capacity);
    this.value = new Float64Array(capacity);
    this.flags = new Float64Array(capacity);
    this.agent = new Uint8Array(capacity);
    this.thread = new Float64Array(capacity);
    this.label = new Array<string>(capacity).fill('');
  }

  /** Appends one row; the caller has made sure that it fits. */
  push(seen: TraceObservation): void {
    const at = this.length;
    this.kind[at] = traceEventKind(seen.name);
    this.time[at] = seen.time;
    this.duration[at] = seen.duration ?? -1;
    this.page[at] = seen.page ?? -1;
    this.offset[at] = seen.offset ?? 0;
    this.bytes[at] = seen.bytes ?? 0;
    this.value[at] = seen.value ?? 0;
    this.flags[at] = seen.flags ?? 0;
    this.agent[at] = seen.agent ?? 0;
    this.thread[at] = seen.thread ?? 0;
    this.label[at] = seen.label ?? '';
    this.length = at + 1;
  }

  /** The name of row `index`. */
  nameAt(index: number): TraceEventName | undefined {
    return TRACE_EVENT_NAMES[this.kind[index] ?? 0];
  }

  /** Forgets all rows. */
  clear(): void {
    this.length = 0;
  }
}
