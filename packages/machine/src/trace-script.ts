import { alignDown, HPAGE_PMD_ORDER } from '@hmm/kernel';
import type { AccessBatch, PageRange } from '@hmm/workload/readers';
import type { PlayPhase, PlayRegion, PlayScript } from './play-script.js';

/** Whose accesses a trace's are taken for: as recorded, or all the GPU's, or all the CPU's. */
export type TraceAgents = 'recorded' | 'gpu' | 'cpu';

/** Warps of a GPU phase of a trace: a grid that fills a large GPU. */
const TRACE_LANES = 8448;
const AGENT_CPU = 0;

/** What {@link traceScript} plays. */
export interface TraceInput {
  readonly name: string;
  /** The ranges that the trace touches (`TouchedRanges`), ascending. */
  readonly ranges: readonly PageRange[];
  readonly agents: TraceAgents;
  /** Warps that share the GPU's accesses. */
  readonly lanes?: number;
  /** The next batch of the trace, from its beginning; undefined at its end. Called once the batch before is used up. */
  next(): AccessBatch | undefined;
}

/**
 * A recorded trace as a play. Each range that it touches is a region that keeps its place within 2 MiB, so that huge pages
 * and a driver's blocks are the same; neighbouring accesses of one agent are a phase.
 */
export function traceScript(input: TraceInput): PlayScript {
  const regions = input.ranges.map(({ page, pages }): PlayRegion => {
    const first = alignDown(page, HPAGE_PMD_ORDER);
    return { name: `0x${(first * 4096).toString(16)}`, pages: page + pages - first };
  });
  return {
    name: input.name,
    regions,
    *phases(starts) {
      const cursor = new TraceCursor(input, starts);
      for (let number = 1; cursor.more(); number++) yield cursor.phase(number);
    },
  };
}

/** A place in a trace. */
class TraceCursor {
  private readonly input: TraceInput;
  /** Where each range begins and ends in the trace, and what to add to a page for its place in the play. */
  private readonly from: Float64Array;
  private readonly to: Float64Array;
  private readonly shift: Float64Array;
  private batch: AccessBatch | undefined;
  private at = 0;
  private range = 0;
  private cpu = false;

  constructor(input: TraceInput, starts: Float64Array) {
    this.input = input;
    this.from = Float64Array.from(input.ranges, ({ page }) => page);
    this.to = Float64Array.from(input.ranges, ({ page, pages }) => page + pages);
    this.shift = Float64Array.from(
      input.ranges,
      ({ page }, i) => (starts[i] ?? 0) - alignDown(page, HPAGE_PMD_ORDER),
    );
  }

  /** Whether there is another access. */
  more(): boolean {
    while (this.batch === undefined || this.at === this.batch.length) {
      this.batch = this.input.next();
      this.at = 0;
      if (this.batch === undefined) return false;
    }
    return true;
  }

  /** The phase that begins here. */
  phase(number: number): PlayPhase {
    this.cpu = this.byCpu();
    const agent = this.cpu ? 'cpu' : 'gpu';
    return {
      name: `${agent} ${number}`,
      agent,
      lanes: this.cpu ? 1 : (this.input.lanes ?? TRACE_LANES),
      fill: (pages, kinds) => this.fill(pages, kinds),
    };
  }

  private byCpu(): boolean {
    const { agents } = this.input;
    return agents === 'recorded' ? this.batch?.agent[this.at] === AGENT_CPU : agents === 'cpu';
  }

  private fill(pages: Int32Array, kinds: Uint8Array): number {
    let count = 0;
    while (count < pages.length && this.more()) {
      const before = count;
      count = this.copy(pages, kinds, count);
      if (count === before) break;
    }
    return count;
  }

  /** Copies rows of the present batch, as far as the phase's agent goes on. */
  private copy(pages: Int32Array, kinds: Uint8Array, first: number): number {
    const { batch, from, to, shift, cpu } = this;
    if (batch === undefined) return first;
    const recorded = this.input.agents === 'recorded';
    const end = Math.min(batch.length, this.at + pages.length - first);
    let { at, range } = this;
    let count = first;
    for (; at < end; at++) {
      if (recorded && (batch.agent[at] === AGENT_CPU) !== cpu) break;
      const page = batch.page[at] ?? 0;
      if (page < (from[range] ?? 0) || page >= (to[range] ?? 0)) range = this.find(page);
      pages[count] = page + (shift[range] ?? 0);
      kinds[count++] = batch.kind[at] ?? 0;
    }
    this.at = at;
    this.range = range;
    return count;
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
