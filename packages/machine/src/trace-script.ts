import { placeOfGpu } from '@hmm/device';
import { alignDown, alignUp, HmmError, HPAGE_PMD_ORDER } from '@hmm/kernel';
import type { AccessBatch, PageRange } from '@hmm/workload/readers';
import type { PlayPhase, PlayRegion, PlayScript } from './play-script.js';

/** Whose accesses a trace's are taken for: as recorded, or all the GPU's, or all the CPU's. */
export type TraceAgents = 'recorded' | 'gpu' | 'cpu';

/** Warps of a GPU phase of a trace: a grid that fills a large GPU. */
const TRACE_LANES = 8448;
const AGENT_CPU = 0;
/** Regions at most: a process has no more mappings than some ten thousands, and people read no more. */
const MOST_REGIONS = 4096;
/** Pages of a range that whole numbers of 32 bits can count; a play cannot have more. */
const MOST_PAGES = 2 ** 31 - 1;

/** What {@link traceScript} plays. */
export interface TraceInput {
  readonly name: string;
  /** The ranges that the trace touches (`TouchedRanges`), ascending. */
  readonly ranges: readonly PageRange[];
  /** A range keeps its place within `2^order` pages; 2 MiB without it. */
  readonly order?: number;
  readonly agents: TraceAgents;
  /** Warps that share the GPU's accesses. */
  readonly lanes?: number;
  /** Agents of the trace that are GPUs, in the order of the machine's; all are its first GPU where they are left out. */
  readonly gpus?: readonly number[];
  /** The next batch of the trace, from its beginning; undefined at its end. Called once the batch before is used up. */
  next(): AccessBatch | undefined;
  /** What the batch handed out last belongs to, such as a kernel of a list: with another, another phase begins. */
  part?(): string;
}

/**
 * A recorded trace as a play. Each range that it touches is a region that keeps its place within 2 MiB, so that huge pages
 * and a driver's blocks are the same; neighbouring accesses of one agent (the CPU, or a GPU by number), in one part of the trace, are a phase; phases
 * follow each other, also where two GPUs ran at once. Of more than
 * 4,096 ranges, several next to each other share a region, each still in blocks of its own.
 */
export function traceScript(input: TraceInput): PlayScript {
  const placed = placeRanges(input);
  return {
    name: input.name,
    regions: placed.regions,
    gpus: input.agents === 'recorded' ? Math.max(1, input.gpus?.length ?? 1) : 1,
    *phases(starts) {
      const cursor = new TraceCursor(input, placed, starts);
      for (let number = 1; cursor.more(); number++) yield cursor.phase(number);
    },
  };
}

/** Where the ranges of a trace are in a play. */
interface PlacedRanges {
  readonly regions: readonly PlayRegion[];
  /** For each range its region, and where in the region its first page lies. */
  readonly region: Int32Array;
  readonly offset: Float64Array;
}

function placeRanges({ ranges, order = HPAGE_PMD_ORDER }: TraceInput): PlacedRanges {
  const together = Math.ceil(ranges.length / MOST_REGIONS);
  const regions: { name: string; pages: number }[] = [];
  const region = new Int32Array(ranges.length);
  const offset = new Float64Array(ranges.length);
  for (const [i, { page, pages }] of ranges.entries()) {
    const first = alignDown(page, order);
    if (i % together === 0) regions.push({ name: `0x${(first * 4096).toString(16)}`, pages: 0 });
    const last = regions.length - 1;
    const own = regions[last];
    if (own === undefined) continue;
    region[i] = last;
    offset[i] = alignUp(own.pages, order) + page - first;
    own.pages = (offset[i] ?? 0) + pages;
  }
  return { regions, region, offset };
}

/** A place in a trace. */
class TraceCursor {
  private readonly input: TraceInput;
  /** Where each range begins and ends in the trace, and what to add to a page for its place in the play. */
  private readonly from: Float64Array;
  private readonly to: Float64Array;
  private readonly shift: Float64Array;
  private batch: AccessBatch | undefined;
  private part: string | undefined;
  private at = 0;
  private cpu = false;
  /** The trace's agent of the phase. */
  private agent = AGENT_CPU;
  private readonly severalGpus: boolean;
  /** By the trace's agent: the number of the machine's GPU. */
  private readonly gpuOfAgent = new Uint8Array(256);

  constructor(input: TraceInput, { region, offset }: PlacedRanges, starts: Float64Array) {
    this.input = input;
    const { agents, gpus = [] } = input;
    this.severalGpus = gpus.length > 1;
    if (agents === 'recorded') for (const [gpu, agent] of gpus.entries()) this.gpuOfAgent[agent] = gpu;
    this.from = Float64Array.from(input.ranges, ({ page }) => page);
    this.to = Float64Array.from(input.ranges, ({ page, pages }) => page + pages);
    this.shift = Float64Array.from(
      input.ranges,
      ({ page }, i) => (starts[region[i] ?? 0] ?? 0) + (offset[i] ?? 0) - page,
    );
  }

  /** Whether there is another access. */
  more(): boolean {
    while (this.batch === undefined || this.at === this.batch.length) {
      this.batch = this.input.next();
      this.part = this.input.part?.();
      this.at = 0;
      if (this.batch === undefined) return false;
    }
    return true;
  }

  /** The phase that begins here. */
  phase(number: number): PlayPhase {
    this.cpu = this.byCpu();
    this.agent = this.batch?.agent[this.at] ?? AGENT_CPU;
    const { part } = this;
    const agent = this.cpu ? 'cpu' : 'gpu';
    const gpu = this.gpuOfAgent[this.agent] ?? 0;
    return {
      name: part ?? `${this.cpu ? agent : placeOfGpu(gpu)} ${number}`,
      agent,
      ...(this.cpu ? {} : { gpu }),
      lanes: this.cpu ? 1 : (this.input.lanes ?? TRACE_LANES),
      fill: (pages, kinds) => this.fill(pages, kinds, part),
    };
  }

  private byCpu(): boolean {
    const { agents } = this.input;
    return agents === 'recorded' ? this.batch?.agent[this.at] === AGENT_CPU : agents === 'cpu';
  }

  private fill(pages: Int32Array, kinds: Uint8Array, part: string | undefined): number {
    let count = 0;
    while (count < pages.length && this.more() && this.part === part) {
      const before = count;
      count = this.copy(pages, kinds, count);
      if (count === before) break;
    }
    return count;
  }

  /** Copies rows of the present batch, as far as the phase's agent goes on. */
  private copy(pages: Int32Array, kinds: Uint8Array, first: number): number {
    const { batch, from, to, shift } = this;
    if (batch === undefined) return first;
    const { page } = batch;
    const end = this.agentEnd(batch, Math.min(batch.length, this.at + pages.length - first));
    kinds.set(batch.kind.subarray(this.at, end), first);
    let { at } = this;
    let count = first;
    while (at < end) {
      const range = this.find(page[at] ?? 0);
      const low = from[range] ?? 0;
      const size = Math.min((to[range] ?? 0) - low, MOST_PAGES);
      const start = (low + (shift[range] ?? 0)) | 0;
      const next = placePages(page, at, end, low, size, start, pages, count);
      if (next === at)
        throw new HmmError('TRACE_RANGE', 'the trace leaves its ranges', { page: page[at] ?? 0 });
      count += next - at;
      at = next;
    }
    this.at = at;
    return count;
  }

  /** The row before `end` at which another agent begins, or `end`. */
  private agentEnd(batch: AccessBatch, end: number): number {
    if (this.input.agents !== 'recorded') return end;
    const { agent } = batch;
    let { at } = this;
    if (this.cpu || this.severalGpus) while (at < end && agent[at] === this.agent) at++;
    else at = agent.indexOf(AGENT_CPU, at);
    return at < 0 ? end : Math.min(at, end);
  }

  /** The range that holds `page`. */
  private find(page: number): number {
    let low = 0;
    let high = this.from.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.from[middle] ?? 0) <= page) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/**
 * Writes where the pages of rows `from` … `to - 1` are in the play to `places[count …]`, up to the first that is not in the
 * range of `size` pages from `low`, which begins at `start`. Returns the row after the last.
 */
// eslint-disable-next-line max-params -- called per batch; it reads one column and writes another
function placePages(
  page: Float64Array,
  from: number,
  to: number,
  low: number,
  size: number,
  start: number,
  places: Int32Array,
  count: number,
): number {
  const move = count - from;
  for (let at = from; at < to; at++) {
    const exact = (page[at] ?? 0) - low;
    const index = exact | 0;
    if (index !== exact || index >>> 0 >= size) return at;
    places[at + move] = start + index;
  }
  return to;
}
