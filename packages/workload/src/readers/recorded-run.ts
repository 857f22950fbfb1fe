import { ACCESS_READ, ACCESS_WRITE, AccessBatch, AGENT_CPU, AGENT_GPU, NO_TIME } from './access-batch.js';
import { type EventBatch, traceEventKind } from './event-batch.js';

const KERNEL = traceEventKind('kernel');
const CPU_FAULT = traceEventKind('cpu_fault');
const GPU_FAULT = traceEventKind('gpu_fault');
const HTOD = traceEventKind('htod');
const DTOH = traceEventKind('dtoh');
const DTOD = traceEventKind('dtod');

/** Why unified memory moved, by CUPTI's number. */
const CAUSES = ['unknown cause', 'user', 'coherence', 'prefetch', 'eviction', 'access counters'];
const EVICTION = 4;
const BLOCK_PAGES = 512;
/** Bytes of one transfer that are believed: no GPU has so much memory. */
const MOST_BYTES = 2 ** 40;
/** Names that are told apart of kernels and of CPU functions. */
const MOST_NAMES = 1000;
const OTHERS = 'others';

/** Which way data moved, as recorded. */
export type RecordedWay = 'to_device' | 'to_host' | 'between_devices';

/** The launches of one kernel, as recorded. */
export interface RecordedKernel {
  readonly name: string;
  /** Numbers of the GPUs that it was launched on, as the recording has them. */
  readonly gpus: readonly number[];
  readonly launches: number;
  readonly ns: number;
  /** Rows of GPU faults that began while it ran, and how long they took; the times of several may overlap. */
  readonly faults: number;
  readonly faultNs: number;
}

/** What moved one way for one cause, as recorded. */
export interface RecordedTransfer {
  readonly way: RecordedWay;
  readonly cause: string;
  readonly copies: number;
  readonly bytes: number;
  readonly ns: number;
}

/** What a recording says of unified memory, before any model. */
export interface RecordedTotals {
  readonly kernels: readonly RecordedKernel[];
  readonly transfers: readonly RecordedTransfer[];
  /** Rows of GPU faults, and the faults that they stand for. */
  readonly gpuFaultRows: number;
  readonly gpuFaults: number;
  readonly cpuFaults: number;
  /** CPU faults by the function that took them, most first. */
  readonly cpuFunctions: readonly { readonly name: string; readonly faults: number }[];
  /** Pieces of 2 MiB whose data went both ways. */
  readonly bothWays: number;
  /** Transfers that name no address, which no replay can have. */
  readonly withoutAddress: number;
}

/**
 * What a recording of unified memory has in it, and the accesses that stand for it: each fault is an access of the page, and each
 * transfer one of every page that moved, by the GPU or, towards the host, by the CPU. Pages that are first seen when they move
 * to the device were written before; they are written at the beginning. Evictions are left to the model.
 */
export class RecordedRun {
  private readonly kernels = new Map<
    string,
    { gpus: number[]; launches: number; ns: number; faults: number; faultNs: number }
  >();
  private readonly transfers = new Map<
    string,
    { way: RecordedWay; cause: string; copies: number; bytes: number; ns: number }
  >();
  private readonly functions = new Map<string, number>();
  /** By 2 MiB: a bit a page that was seen, and which ways its data went (1, 2). */
  private readonly seen = new Map<number, Uint32Array>();
  private readonly ways = new Map<number, number>();
  /** Accesses of whole ranges, four numbers each: first page, pages, agent and kind, time. */
  private readonly before: number[] = [];
  private readonly rows: number[] = [];
  private gpuFaultRows = 0;
  private gpuFaults = 0;
  private cpuFaults = 0;
  private withoutAddress = 0;
  /** By agent: the kernel that ends last of those that began. */
  private readonly running = new Map<number, { readonly name: string; readonly end: number }>();

  /** Takes observations, in the order of their times. */
  take(events: EventBatch): void {
    for (let i = 0; i < events.length; i++) {
      const kind = events.kind[i] ?? 0;
      if (kind === KERNEL) this.addKernel(events, i);
      else if (kind === GPU_FAULT) this.addGpuFault(events, i);
      else if (kind === CPU_FAULT) this.addCpuFault(events, i);
      else if (kind === HTOD) this.addTransfer(events, i, 'to_device');
      else if (kind === DTOH) this.addTransfer(events, i, 'to_host');
      else if (kind === DTOD) this.addTransfer(events, i, 'between_devices');
    }
  }

  /** Whether anything was recorded that memory or kernels did. */
  get empty(): boolean {
    return this.rows.length === 0 && this.kernels.size === 0 && this.transfers.size === 0;
  }

  /** What was recorded. */
  totals(): RecordedTotals {
    const kernels = [...this.kernels].map(([name, sums]) => ({ name, ...sums }));
    const functions = [...this.functions].map(([name, faults]) => ({ name, faults }));
    return {
      kernels: kernels.sort((a, b) => b.ns - a.ns),
      transfers: [...this.transfers.values()].sort((a, b) => b.bytes - a.bytes),
      gpuFaultRows: this.gpuFaultRows,
      gpuFaults: this.gpuFaults,
      cpuFaults: this.cpuFaults,
      cpuFunctions: functions.sort((a, b) => b.faults - a.faults),
      bothWays: [...this.ways.values()].filter((ways) => ways === 3).length,
      withoutAddress: this.withoutAddress,
    };
  }

  /** The accesses that stand for the recording, from the beginning. */
  *replay(): Generator<AccessBatch> {
    const batch = new AccessBatch();
    for (const rows of [this.before, this.rows]) {
      for (let at = 0; at < rows.length; at += 4) {
        const [page = 0, pages = 0, who = 0, time = NO_TIME] = rows.slice(at, at + 4);
        for (let i = 0; i < pages; i++) {
          if (batch.length === batch.capacity) {
            yield batch;
            batch.clear();
          }
          batch.push(page + i, 0, 1, who & 7, who >> 3, 0, time);
        }
      }
    }
    if (batch.length > 0) yield batch;
  }

  private addKernel(events: EventBatch, i: number): void {
    const [time, ns] = [events.time[i] ?? 0, Math.max(0, events.duration[i] ?? 0)];
    const name = nameIn(this.kernels, events.label[i] ?? '');
    const sums = this.kernels.get(name) ?? { gpus: [], launches: 0, ns: 0, faults: 0, faultNs: 0 };
    const agent = gpuAgent(events, i);
    if (!sums.gpus.includes(agent - AGENT_GPU)) sums.gpus.push(agent - AGENT_GPU);
    this.kernels.set(name, sums);
    sums.launches++;
    sums.ns += ns;
    if (time + ns < (this.running.get(agent)?.end ?? -1)) return;
    this.running.set(agent, { name, end: time + ns });
  }

  private addGpuFault(events: EventBatch, i: number): void {
    this.gpuFaultRows++;
    this.gpuFaults += Math.max(1, events.value[i] ?? 1);
    const time = events.time[i] ?? 0;
    const agent = gpuAgent(events, i);
    const kernel = this.running.get(agent);
    const sums = kernel !== undefined && time <= kernel.end ? this.kernels.get(kernel.name) : undefined;
    if (sums !== undefined) {
      sums.faults++;
      sums.faultNs += Math.max(0, events.duration[i] ?? 0);
    }
    this.addRow(this.rows, events.page[i] ?? 0, 1, agent, events.flags[i] ?? ACCESS_READ, time);
  }

  private addCpuFault(events: EventBatch, i: number): void {
    this.cpuFaults++;
    const name = nameIn(this.functions, events.label[i] ?? '');
    if (name !== '') this.functions.set(name, (this.functions.get(name) ?? 0) + 1);
    const page = events.page[i] ?? 0;
    this.meet(page, 1);
    this.addRow(this.rows, page, 1, AGENT_CPU, events.flags[i] ?? ACCESS_READ, events.time[i] ?? NO_TIME);
  }

  private addTransfer(events: EventBatch, i: number, way: RecordedWay): void {
    const [bytes, cause] = [events.bytes[i] ?? 0, events.flags[i] ?? 0];
    const text = CAUSES[cause] ?? 'unknown cause';
    const key = `${way} ${text}`;
    const sums = this.transfers.get(key) ?? { way, cause: text, copies: 0, bytes: 0, ns: 0 };
    this.transfers.set(key, sums);
    sums.copies++;
    sums.bytes += bytes;
    sums.ns += Math.max(0, events.duration[i] ?? 0);
    const page = events.page[i] ?? -1;
    if (page < 0 || bytes > MOST_BYTES) {
      this.withoutAddress++;
      return;
    }
    const pages = Math.ceil(bytes / 4096);
    const unseen = this.meet(page, pages);
    const toHost = way === 'to_host';
    if (way !== 'between_devices') this.mark(page, pages, toHost ? 2 : 1);
    const time = events.time[i] ?? NO_TIME;
    if (!toHost)
      for (const [first, count] of unseen)
        this.addRow(this.before, first, count, AGENT_CPU, ACCESS_WRITE, NO_TIME);
    if (!toHost) this.addRow(this.rows, page, pages, gpuAgent(events, i), ACCESS_READ, time);
    else if (cause !== EVICTION) this.addRow(this.rows, page, pages, AGENT_CPU, ACCESS_READ, time);
  }

  private addRow(
    rows: number[],
    page: number,
    pages: number,
    agent: number,
    kind: number,
    time: number,
  ): void {
    rows.push(page, pages, agent * 8 + Math.min(7, Math.max(ACCESS_READ, kind)), time);
  }

  private mark(page: number, pages: number, way: number): void {
    for (let block = Math.floor(page / BLOCK_PAGES); block * BLOCK_PAGES < page + pages; block++)
      this.ways.set(block, (this.ways.get(block) ?? 0) | way);
  }

  /** Notes that pages were seen; returns the runs of those that had not been. */
  private meet(page: number, pages: number): (readonly [page: number, pages: number])[] {
    const runs: [number, number][] = [];
    for (let at = page; at < page + pages; at++) {
      const block = Math.floor(at / BLOCK_PAGES);
      const bits = this.seen.get(block) ?? new Uint32Array(BLOCK_PAGES / 32);
      this.seen.set(block, bits);
      const [word, bit] = [(at % BLOCK_PAGES) >>> 5, 1 << (at & 31)];
      if (((bits[word] ?? 0) & bit) !== 0) continue;
      bits[word] = (bits[word] ?? 0) | bit;
      const last = runs.at(-1);
      if (last !== undefined && last[0] + last[1] === at) last[1]++;
      else runs.push([at, 1]);
    }
    return runs;
  }
}

/** The GPU that an observation names, as an agent; the first where it names none. */
function gpuAgent(events: EventBatch, i: number): number {
  return Math.max(AGENT_GPU, events.agent[i] ?? AGENT_GPU);
}

/** `name`, unless so many names are known that it is one of the others. */
function nameIn(known: ReadonlyMap<string, unknown>, name: string): string {
  return known.has(name) || known.size < MOST_NAMES ? name : OTHERS;
}
