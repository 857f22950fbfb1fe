import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { goldenText } from '@hmm/golden';
import {
  type UvmClock,
  type UvmMoments,
  UvmNoTime,
  type UvmTimingPorts,
  type UvmWork,
} from '@hmm/nvidia-uvm-model/internal';
import { describe, expect, it } from 'vitest';
import {
  type CaptureRun,
  type CaptureScenario,
  eventKey,
  isDeterministic,
  parseCapture,
  runScenario,
  scenariosOf,
} from '@hmm/nvidia-uvm-model/validate';
import { isAtTheLapse } from './at-the-lapse.js';

/** Writes down what a clock says. */
class Recording implements UvmClock {
  readonly said: number[] = [];
  private readonly clock: UvmClock;

  constructor(clock: UvmClock) {
    this.clock = clock;
  }

  time(): number {
    return this.say(this.clock.time());
  }

  gpuService(space: number, gpu: number, entries: number, thrashes: boolean, moments: UvmMoments): void {
    this.clock.gpuService(space, gpu, entries, thrashes, moments);
    this.say(moments.hintTime);
    this.say(moments.migrationTime);
  }

  cpuService(thrashes: boolean, slept: boolean, moments: UvmMoments): void {
    this.clock.cpuService(thrashes, slept, moments);
    this.say(moments.hintTime);
    this.say(moments.migrationTime);
  }

  hostChunkZeroed(moments: UvmMoments): void {
    const before = moments.migrationTime;
    this.clock.hostChunkZeroed(moments);
    this.say(moments.migrationTime - before);
  }

  tableWritten(ns: number, run: number): number {
    return this.say(this.clock.tableWritten(ns, run));
  }

  pollsUntil(lastReplay: number): number {
    return this.say(this.clock.pollsUntil(lastReplay));
  }

  readsPut(arrival: number): number {
    return this.say(this.clock.readsPut(arrival));
  }

  private say(ns: number): number {
    this.said.push(ns);
    return ns;
  }
}

/** Says it again. */
class Repeating implements UvmClock {
  private next = 0;
  private readonly said: readonly number[];

  constructor(said: readonly number[]) {
    this.said = said;
  }

  /** Everything has been said. */
  get isOver(): boolean {
    return this.next === this.said.length;
  }

  time(): number {
    return this.say();
  }

  gpuService(_space: number, _gpu: number, _entries: number, _thrashes: boolean, moments: UvmMoments): void {
    moments.hintTime = this.say();
    moments.migrationTime = this.say();
  }

  cpuService(_thrashes: boolean, _slept: boolean, moments: UvmMoments): void {
    moments.hintTime = this.say();
    moments.migrationTime = this.say();
  }

  hostChunkZeroed(moments: UvmMoments): void {
    moments.migrationTime += this.say();
  }

  tableWritten(): number {
    return this.say();
  }

  pollsUntil(): number {
    return this.say();
  }

  readsPut(): number {
    return this.say();
  }

  private say(): number {
    return this.said[this.next++] ?? Number.NaN;
  }
}

const events = (run: CaptureRun, timing: (made: UvmTimingPorts) => UvmTimingPorts): string[] =>
  runScenario(run, { timing }).events.map(eventKey);

/** The events of a run with the recorded machine's costs, and with none, by the same clock. */
function both(run: CaptureRun): { withCosts: string[]; without: string[]; isOver: boolean } {
  let recording: Recording | undefined;
  const withCosts = events(run, ({ clock, work }) => ({ clock: (recording = new Recording(clock)), work }));
  const clock = new Repeating(recording?.said ?? []);
  const work: UvmWork = new UvmNoTime();
  return { withCosts, without: events(run, () => ({ clock, work })), isOver: clock.isOver };
}

/** How many faults a batch has that many threads raise is decided by the card's own pace. */
function isSerial({ steps }: CaptureRun): boolean {
  return steps.every(({ op }) => !op.includes('_par_') && !op.includes('_stream_'));
}

function recording(name: string): string {
  const at = new URL(`../../../tools/uvm-capture/recordings/${name}`, import.meta.url);
  return gunzipSync(readFileSync(at)).toString('utf8');
}

function scenarios(text: string): CaptureScenario[] {
  const parsed = parseCapture(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return scenariosOf(parsed.runs).filter(isDeterministic);
}

describe.each([
  ['public', () => goldenText('h100-uvm/uvm-public.jsonl.gz'), 56],
  ['public2', () => goldenText('h100-uvm/uvm-public2.jsonl.gz'), 8],
  ['the first', () => recording('h100-580.159.04.jsonl.gz'), 40],
  ['mixtures', () => recording('h100-580.159.04-mixtures.jsonl.gz'), 150],
  ['second mixtures', () => recording('h100-580.159.04-mixtures-2.jsonl.gz'), 90],
  ['parts', () => goldenText('h200-parts/parts.jsonl.gz'), 140],
  ['third mixtures', () => recording('h100-580.159.04-mixtures-3.jsonl.gz'), 90],
] as const)('of the recording %s', (_, text, least) => {
  it('every scenario happens as recorded whether work takes time or not, by one clock', () => {
    let compared = 0;
    const differ: string[] = [];
    for (const { name, runs } of scenarios(text())) {
      const run = runs.find(({ steps }) => steps.some(({ pages }) => pages !== undefined)) ?? runs[0];
      if (run === undefined || !isSerial(run)) continue;
      compared++;
      const { withCosts, without, isOver } = both(run);
      expect([name, without, isOver]).toEqual([name, withCosts, true]);
      if (without.join() !== run.events.map(eventKey).join() && !isAtTheLapse(run)) differ.push(name);
    }
    expect(compared).toBeGreaterThan(least);
    expect(differ).toEqual([]);
  });
});
