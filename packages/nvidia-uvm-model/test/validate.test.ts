import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { goldenText } from '@hmm/golden';
import { describe, expect, it } from 'vitest';
import {
  type CaptureRun,
  parseCapture,
  parseTimes,
  predictManaged,
  scenariosOf,
  type StepTimes,
  validateCapture,
  type ValidationReport,
} from '@hmm/nvidia-uvm-model/validate';
import { isAtTheLapse } from './at-the-lapse.js';

/** Scenarios of the mixtures that two runs do not agree on and whose totals the model misses. */
const MIXTURES_OUTSIDE = 6;
/** Of the totals of parallel kernels, so many are within the spread of two runs or 10 %; of the rest most within 20 %. */
const PARALLEL_WITHIN = 0.84;
function crc32(text: string): number {
  let crc = ~0;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

type Part = 'public' | 'public2';

function times(part: Part): StepTimes {
  return timesIn(goldenText(`h100-uvm/times-${part}.jsonl.gz`));
}

function timesIn(text: string): StepTimes {
  const parsed = parseTimes(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.times;
}

/** A file of `tools/uvm-capture/recordings`, unpacked: recorded on the same H100. */
function recording(name: string): string {
  const at = new URL(`../../../tools/uvm-capture/recordings/${name}`, import.meta.url);
  return gunzipSync(readFileSync(at)).toString('utf8');
}

function report(part: Part): ValidationReport {
  const capture = goldenText(`h100-uvm/uvm-${part}.jsonl.gz`);
  return validateCapture(capture, { times: times(part) });
}

/** Who works in a scenario: of accesses (`cw`, `gr`, `pw` …) the first letter, else the first word of a step as it was asked for. */
function workersOf(runs: readonly CaptureRun[]): Set<string> {
  const words = runs.flatMap(({ asked }) => asked.map((step) => step.split(':')[0] ?? ''));
  return new Set(words.map((word) => (/^.[rwa]$/.test(word) ? word.slice(0, 1) : word)));
}

/**
 * Scenarios of a capture with a worker whose order is chance in hardware, as the capture itself shows: of the scenarios that have
 * it, two runs differ in most. Where two runs of such a scenario agree all the same, no model has to.
 */
function byChance(text: string): ReadonlySet<string> {
  const capture = parseCapture(text);
  if (!capture.ok) throw new Error(capture.message);
  const scenarios = scenariosOf(capture.runs);
  const differing = new Set(
    validateCapture(text)
      .per_scenario.filter(({ deterministic }) => !deterministic)
      .map(({ name }) => name),
  );
  const having = new Map<string, { all: number; differ: number }>();
  for (const { name, runs } of scenarios) {
    for (const worker of workersOf(runs)) {
      const { all, differ } = having.get(worker) ?? { all: 0, differ: 0 };
      having.set(worker, { all: all + 1, differ: differ + (differing.has(name) ? 1 : 0) });
    }
  }
  const chance = ({ runs }: { runs: readonly CaptureRun[] }): boolean =>
    [...workersOf(runs)].some((worker) => {
      const { all, differ } = having.get(worker) ?? { all: 0, differ: 0 };
      return differ > all / 2;
    });
  return new Set(scenarios.filter(chance).map(({ name }) => name));
}

/** The scenarios on which two runs agree and the model does not, and that are not by chance, nor at the lapse. */
function wrongIn({ per_scenario }: ValidationReport, capture: string): [string, unknown][] {
  const wrong = per_scenario.filter((s) => s.deterministic && !s.exact);
  const chance = wrong.length === 0 ? new Set<string>() : byChance(capture);
  const atTheLapse = runsAtTheLapse(capture, new Set(wrong.map(({ name }) => name)));
  return wrong
    .filter(({ name }) => !chance.has(name) && !atTheLapse.has(name))
    .map((s) => [s.name, s.first_difference]);
}

/** Which of the scenarios called `names` hang on the thrashing lapse. */
function runsAtTheLapse(text: string, names: ReadonlySet<string>): ReadonlySet<string> {
  const capture = parseCapture(text);
  if (!capture.ok || names.size === 0) return new Set();
  const asked = scenariosOf(capture.runs).filter(({ name }) => names.has(name));
  return new Set(
    asked.filter(({ runs: [run] }) => run !== undefined && isAtTheLapse(run)).map(({ name }) => name),
  );
}

describe('the model and the driver on a real H100', () => {
  it.each([
    ['public', 71, 0, 0.1, 0.31],
    ['public2', 9, 0, 0.2, 0.8],
  ] as const)(
    '%s: every deterministic scenario event by event',
    (part, deterministic, chance, median, p90) => {
      const result = report(part);
      expect(result.deterministic).toBe(deterministic);
      expect(wrongIn(result, goldenText(`h100-uvm/uvm-${part}.jsonl.gz`))).toEqual([]);
      const outside = result.per_scenario.filter((s) => s.totals?.within === false);
      expect(outside.length).toBeLessThanOrEqual(chance);
      expect(result.time.median_abs_error).toBeLessThan(median);
      expect(result.time.p90_abs_error).toBeLessThan(p90);
    },
  );

  it('a recording of 51 other scenarios: every deterministic scenario event by event', () => {
    const known = timesIn(recording('h100-580.159.04.times.jsonl.gz'));
    const result = validateCapture(recording('h100-580.159.04.jsonl.gz'), { times: known });
    expect(result.scenarios).toBe(51);
    expect(result.deterministic).toBe(44);
    expect(result.per_scenario.filter((s) => s.deterministic && !s.exact)).toEqual([]);
    expect(result.time.median_abs_error).toBeLessThan(0.08);
    expect(result.time.p90_abs_error).toBeLessThan(0.25);
  });

  it('mixtures drawn at random: every deterministic scenario event by event, and times of the half that was not fitted to', () => {
    const name = 'h100-580.159.04-mixtures';
    const known = timesIn(recording(`${name}.times.jsonl.gz`));
    const capture = recording(`${name}.jsonl.gz`);
    const result = validateCapture(capture, { times: known });
    expect(result.deterministic).toBe(166);
    expect(wrongIn(result, capture)).toEqual([]);
    const outside = result.per_scenario.filter((s) => s.totals?.within === false);
    expect(outside.length).toBeLessThanOrEqual(MIXTURES_OUTSIDE);
    const unknown = validateCapture(capture, {
      times: known,
      filter: (scenario) => ((crc32(scenario) >>> 3) & 1) === 0,
    });
    expect(unknown.time.median_abs_error).toBeLessThan(0.1);
    expect(unknown.time.p90_abs_error).toBeLessThan(0.31);
  });

  it('mixtures of another machine: every deterministic scenario event by event', () => {
    const capture = recording('h100-580.159.04-mixtures-2.jsonl.gz');
    const result = validateCapture(capture);
    expect(result.deterministic).toBe(101);
    expect(wrongIn(result, capture)).toEqual([]);
  });

  it('mixtures of a third machine: every deterministic scenario event by event, and times', () => {
    const name = 'h100-580.159.04-mixtures-3';
    const known = timesIn(recording(`${name}.times.jsonl.gz`));
    const capture = recording(`${name}.jsonl.gz`);
    const result = validateCapture(capture, { times: known });
    expect(result.deterministic).toBe(103);
    expect(wrongIn(result, capture)).toEqual([]);
    expect(result.time.median_abs_error).toBeLessThan(0.1);
    expect(result.time.p90_abs_error).toBeLessThan(0.27);
  });

  it.each([
    ['fork-gup', 7],
    ['parts', 149],
  ] as const)('%s of an H200: every deterministic scenario event by event', (part, deterministic) => {
    const result = validateCapture(goldenText(`h200-parts/${part}.jsonl.gz`), { gpu: 'h200' });
    expect(result.deterministic).toBe(deterministic);
    expect(result.per_scenario.filter((s) => s.deterministic && !s.exact)).toEqual([]);
  });

  it('parts of an H200: times of the half that its figures are not fitted to', () => {
    const { time } = validateCapture(goldenText('h200-parts/parts.jsonl.gz'), {
      gpu: 'h200',
      filter: (scenario) => ((crc32(scenario) >>> 3) & 1) === 0,
    });
    expect(time.median_abs_error).toBeLessThan(0.19);
    expect(time.p90_abs_error).toBeLessThan(0.6);
  });

  it('the GPU that the head of a recording names is the preset, and one that is said goes before', () => {
    const head =
      '{"run":0,"scenario":"one","bytes":4096,"machine":"H200 141GB, driver 580","steps":"cw:page:0"}';
    const step = '{"t0":0,"t1":300000,"op":"cpu_write","order":"page:0","count":1,"pages":[0]}';
    const predicted = (text: string, gpu?: string): number | undefined =>
      validateCapture(text, gpu === undefined ? {} : { gpu }).per_scenario[0]?.time_ratio;
    const capture = `${head}\n${step}\n{"end":1}\n`;
    const unnamed = capture.replace('"machine":"H200 141GB, driver 580",', '');
    expect(predicted(capture)).toBe(predicted(unnamed, 'h200'));
    expect(predicted(capture, 'h100')).toBe(predicted(unnamed));
    expect(predicted(capture)).not.toBe(predicted(unnamed));
  });

  it('parts recorded on another H200 with a seed of our own: every deterministic scenario event by event', () => {
    const result = validateCapture(recording('h200-580.159.04-parts.jsonl.gz'), { gpu: 'h200' });
    expect(result.deterministic).toBe(32);
    expect(result.per_scenario.filter((s) => s.deterministic && !s.exact)).toEqual([]);
  });

  it('parallel kernels of many sizes: totals of batches and transfers, whose part of chance is in the hardware', () => {
    const result = validateCapture(recording('h100-580.159.04-parallel.jsonl.gz'));
    const totals = result.per_scenario.flatMap(({ totals: { rows } = { rows: [] } }) => rows);
    const ofKernels = totals.filter(({ what }) => !what.startsWith('cpu_fault'));
    expect(ofKernels.length).toBeGreaterThan(150);
    const within = ofKernels.filter((row) => row.within).length;
    expect(within / ofKernels.length).toBeGreaterThan(PARALLEL_WITHIN);
  });

  it('sizes from 64 KiB to 1 GiB without tracing: each time within 10 %', () => {
    const table = goldenText('h100-uvm/link.jsonl')
      .split('\n')
      .filter((l) => l.includes('"managed"'));
    expect(table).toHaveLength(8);
    for (const line of table) {
      const row = JSON.parse(line) as Record<string, number>;
      const got = predictManaged(row['bytes'] ?? 0);
      const pairs = [
        [got.prefetchUp, row['prefetch_up_us']],
        [got.prefetchDown, row['prefetch_down_us']],
        [got.gpuFaultStream, row['gpu_fault_stream_us']],
        [got.cpuFaultBack, row['cpu_fault_back_us']],
      ] as const;
      for (const [ns, us = 0] of pairs) expect(Math.abs(ns / 1000 / us - 1)).toBeLessThan(0.1);
    }
  });
});

describe('a capture that cannot be read', () => {
  it('names the line and what was expected', () => {
    const head = '{"run":0,"scenario":"x","bytes":4096,"steps":"cw:seq"}';
    expect(parseCapture('{"e":"x"}')).toMatchObject({ ok: false, line: 1 });
    expect(parseCapture(`${head}\n{"t0":1`)).toMatchObject({ ok: false, line: 2 });
    expect(parseCapture(`${head}\n{"e":"htod","at":"x"}`)).toMatchObject({
      ok: false,
      line: 2,
      message: '"at" has to be a number',
    });
    expect(parseCapture(head)).toMatchObject({ ok: false, message: 'the capture ends within the run of x' });
    expect(() => validateCapture('nonsense')).toThrow(/line 1, column/);
  });
});
