import { type Trace, tracepoint } from '@hmm/kernel';
import {
  EVENT_BATCH,
  EVENT_DEVICE_FAULT,
  EVENT_REPLAY,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
  type EventMeaning,
  meaningOf,
} from '@hmm/kernel/internal';

/** One line of a timeline: an agent, an engine, a lock. */
export interface TimelineTrack {
  readonly id: number;
  readonly name: string;
  /** What it belongs to: `CPU`, `GPU`, `driver`, `locks`. */
  readonly group: string;
}

/** Something that happened on a track; `ns` 0 for a moment. Times in ns. */
export interface TimelineSlice {
  readonly track: number;
  readonly name: string;
  readonly start: number;
  ns: number;
  /** Shown with it. */
  readonly details: Readonly<Record<string, number | string>>;
  /** Arrows: slices of one flow hang together in the order of time; 0 for none. */
  readonly flow: number;
  /** Last of its flow. */
  readonly ends: boolean;
}

/** A number over time. */
export interface TimelineCounter {
  readonly name: string;
  readonly unit: string;
  readonly times: number[];
  readonly values: number[];
}

/** A run as it can be drawn: what all exports are made from. */
export interface Timeline {
  readonly title: string;
  readonly tracks: readonly TimelineTrack[];
  readonly slices: readonly TimelineSlice[];
  readonly counters: readonly TimelineCounter[];
}

/** A time during which an agent held a lock. */
export interface LockHold {
  readonly lock: string;
  readonly agent: string;
  readonly start: number;
  readonly end: number;
}

/** What a timeline is made from. */
export interface TimelineInput {
  readonly title: string;
  readonly trace: Trace;
  /** Names of agents by id. */
  readonly agents: readonly string[];
  /** The link: ns of a transfer beside bytes / GB/s. */
  readonly link: {
    readonly toDevice: { readonly baseNs: number; readonly gbs: number };
    readonly toHost: { readonly baseNs: number; readonly gbs: number };
  };
  readonly locks?: readonly LockHold[];
}

const PAGE_BYTES = 4096;
const WARPS = 0;
const FAULT_WORKER = 1;
const COPY_TO_DEVICE = 2;
const COPY_TO_HOST = 3;
const FIXED_TRACKS: readonly TimelineTrack[] = [
  { id: WARPS, name: 'warps', group: 'GPU' },
  { id: FAULT_WORKER, name: 'fault worker', group: 'driver' },
  { id: COPY_TO_DEVICE, name: 'copy engine to device', group: 'GPU' },
  { id: COPY_TO_HOST, name: 'copy engine to host', group: 'GPU' },
];

/**
 * The timeline of a run: faults on the warps, batches on the fault worker, transfers on the copy engines, everything else on the
 * agent that did it; an arrow goes from the faults of a batch over the batch and its transfers to its replay.
 */
export function makeTimeline(input: TimelineInput): Timeline {
  const builder = new TimelineBuilder(input);
  builder.takeEvents();
  builder.takeLocks();
  return builder.finish();
}

class TimelineBuilder {
  private readonly input: TimelineInput;
  private readonly tracks: TimelineTrack[] = [...FIXED_TRACKS];
  private readonly trackOf = new Map<string, number>();
  private readonly slices: TimelineSlice[] = [];
  private batch: TimelineSlice | undefined;
  private flow = 0;
  private readonly engineFree = [0, 0, 0, 0];
  private readonly resident: TimelineCounter = counter('pages on the device', 'pages');
  private readonly faults: TimelineCounter = counter('GPU faults', 'faults');
  private readonly up: TimelineCounter = counter('moved to device', 'bytes');
  private readonly down: TimelineCounter = counter('moved to host', 'bytes');

  constructor(input: TimelineInput) {
    this.input = input;
  }

  takeEvents(): void {
    const { trace } = this.input;
    for (let i = 0; i < trace.length; i++) {
      const kind = trace.kind[i] ?? 0;
      const meaning = meaningOf(kind, trace.value[i] ?? 0);
      this.take(meaning, i);
    }
  }

  takeLocks(): void {
    const holds = [...(this.input.locks ?? [])].sort((a, b) => a.start - b.start);
    const free = new Map<number, number>();
    for (const { lock, agent, start, end } of holds) {
      const track = this.track(lock, 'locks');
      // Readers may hold it at once; slices of one track must not overlap.
      const from = Math.max(start, free.get(track) ?? 0);
      free.set(track, Math.max(from, end));
      this.add({ track, name: agent, start: from, ns: Math.max(0, end - from) });
    }
  }

  finish(): Timeline {
    const counters = [this.resident, this.faults, this.up, this.down];
    const slices = this.slices.sort((a, b) => a.start - b.start);
    return { title: this.input.title, tracks: this.tracks, slices, counters };
  }

  private take(meaning: EventMeaning, i: number): void {
    const { trace } = this.input;
    const time = trace.time[i] ?? 0;
    const pages = trace.pages[i] ?? 0;
    if (meaning === EVENT_DEVICE_FAULT || meaning === EVENT_BATCH) this.fault(meaning, i, time);
    else if (meaning === EVENT_TO_DEVICE || meaning === EVENT_TO_HOST) this.transfer(meaning, time, pages, i);
    else if (meaning === EVENT_REPLAY) this.replay(time, i);
    else this.onAgent(i, time);
  }

  private fault(meaning: EventMeaning, i: number, time: number): void {
    if (this.batch === undefined) {
      this.flow++;
      this.batch = this.add({
        track: FAULT_WORKER,
        name: `batch ${this.flow}`,
        start: time,
        flow: this.flow,
      });
    }
    if (meaning === EVENT_BATCH) return;
    step(this.faults, time, 1);
    this.add({ track: WARPS, name: 'GPU fault', start: time, details: this.details(i), flow: this.flow });
  }

  private transfer(meaning: EventMeaning, time: number, pages: number, i: number): void {
    const toDevice = meaning === EVENT_TO_DEVICE;
    const { baseNs, gbs } = toDevice ? this.input.link.toDevice : this.input.link.toHost;
    const track = toDevice ? COPY_TO_DEVICE : COPY_TO_HOST;
    const start = Math.max(time, this.engineFree[track] ?? 0);
    const ns = baseNs + (pages * PAGE_BYTES) / gbs;
    this.engineFree[track] = start + ns;
    const name = tracepoint(this.input.trace.kind[i] ?? 0).name;
    this.add({
      track,
      name,
      start,
      ns,
      details: this.details(i),
      flow: this.batch === undefined ? 0 : this.flow,
    });
    step(this.resident, time, toDevice ? pages : -pages);
    step(toDevice ? this.up : this.down, time, pages * PAGE_BYTES);
  }

  private replay(time: number, i: number): void {
    const { batch } = this;
    if (batch !== undefined) batch.ns = Math.max(0, time - batch.start);
    this.add({
      track: WARPS,
      name: 'replay',
      start: time,
      details: this.details(i),
      flow: batch === undefined ? 0 : this.flow,
      ends: true,
    });
    this.batch = undefined;
  }

  private onAgent(i: number, time: number): void {
    const { trace, agents } = this.input;
    const track = this.track(agents[trace.agent[i] ?? 0] ?? `agent ${trace.agent[i] ?? 0}`, 'CPU');
    this.add({ track, name: tracepoint(trace.kind[i] ?? 0).name, start: time, details: this.details(i) });
  }

  private details(i: number): Record<string, number | string> {
    const { trace } = this.input;
    const page = trace.page[i] ?? 0;
    return {
      address: `0x${(page * PAGE_BYTES).toString(16)}`,
      pages: trace.pages[i] ?? 0,
      value: trace.value[i] ?? 0,
    };
  }

  private track(name: string, group: string): number {
    const key = `${group}/${name}`;
    const known = this.trackOf.get(key);
    if (known !== undefined) return known;
    const id = this.tracks.length;
    this.tracks.push({ id, name, group });
    this.trackOf.set(key, id);
    return id;
  }

  /** Adds a slice; what is left out is 0, nothing, or no end of a flow. */
  private add(
    slice: Pick<TimelineSlice, 'track' | 'name' | 'start'> & Partial<TimelineSlice>,
  ): TimelineSlice {
    const whole = { ns: 0, details: {}, flow: 0, ends: false, ...slice };
    this.slices.push(whole);
    return whole;
  }
}

function counter(name: string, unit: string): TimelineCounter {
  return { name, unit, times: [], values: [] };
}

/** Adds `by` to a counter; changes at one moment are one point. */
function step(counter: TimelineCounter, time: number, by: number): void {
  const { times, values } = counter;
  const value = Math.max(0, (values.at(-1) ?? 0) + by);
  if (times.at(-1) === time) values[values.length - 1] = value;
  else {
    times.push(time);
    values.push(value);
  }
}
