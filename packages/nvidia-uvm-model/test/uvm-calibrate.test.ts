import { crc32 } from 'node:zlib';
import { goldenText } from '@hmm/golden';
import { TRACED_FIGURES, type UvmFigures } from '@hmm/nvidia-uvm-model';
import { parseUvmCosts } from '@hmm/nvidia-uvm-model/internal';
import {
  calibrate,
  type Calibration,
  type CaptureRun,
  type CaptureScenario,
  costFile,
  eventKey,
  parseCapture,
  parseTimes,
  runScenario,
  scenariosOf,
  type UvmFigureName,
} from '@hmm/nvidia-uvm-model/validate';
import { beforeAll, describe, expect, it } from 'vitest';
import { leastErrors } from '../src/validate/least-errors.js';

/** Scenarios that are short to replay, and between them show most kinds of faults. */
const SHORT = [
  'first-example',
  'read-4k-seq',
  'read-60k-seq',
  'read-64k-rand-5',
  'read-68k-seq',
  'read-300k-seq',
  'read-300k-rand-5',
  'preferred-gpu',
  'accessed-by-gpu',
];
/** Another machine's costs, beside the recorded one's. */
const OTHER: Readonly<Partial<Record<UvmFigureName, number>>> = {
  cpuFault: 1.5,
  cpuFirstFault: 0.6,
  gpuService: 0.7,
  gpuFirstService: 1.25,
  cpuPopulatePage: 2,
};
const NAMES: readonly UvmFigureName[] = [
  'cpuFault',
  'cpuFirstFault',
  'cpuCopyPage',
  'gpuService',
  'gpuFirstService',
  'gpuInterrupt',
  'cpuPopulatePage',
  'warmRefusals',
];

/** The recorded scenarios: those of the half that the shipped figures were fitted to, and those called {@link SHORT}. */
const fitted: CaptureScenario[] = [];
const chosen: CaptureScenario[] = [];

beforeAll(() => {
  const parsed = parseCapture(goldenText('h100-uvm/uvm-public.jsonl.gz'));
  if (!parsed.ok) throw new Error(parsed.message);
  const scenarios = scenariosOf(parsed.runs);
  chosen.push(...scenarios.filter(({ name }) => SHORT.includes(name)));
  fitted.push(...scenarios.filter(({ name }) => ((crc32(name) >>> 3) & 1) === 1));
});

function scaled(by: Readonly<Partial<Record<UvmFigureName, number>>>): UvmFigures {
  let figures: UvmFigures = TRACED_FIGURES;
  for (const [name, factor] of Object.entries(by) as [UvmFigureName, number][])
    figures = { ...figures, [name]: { ...figures[name], value: factor * figures[name].value } };
  return figures;
}

/** What a machine with `figures` would have recorded of a scenario: two runs alike. */
function made({ name, runs }: CaptureScenario, figures: UvmFigures): CaptureScenario {
  const run = runs[0];
  if (run === undefined) throw new Error(`${name} has no run`);
  const { stepNs, events } = runScenario(run, { figures });
  const steps = run.steps.map((step, at) => ({ ...step, t0: 0, t1: stepNs[at] ?? 0 }));
  const copy: CaptureRun = { ...run, machine: 'another machine', steps, events };
  return { name, runs: [copy, { ...copy, run: 1 }] };
}

describe('a capture that the model itself made with other figures', () => {
  let found: Calibration;

  beforeAll(() => {
    const capture = chosen.map((scenario) => made(scenario, scaled(OTHER)));
    found = calibrate(capture, capture.slice(0, 2), { names: NAMES });
  });

  const figure = (name: UvmFigureName): Calibration['figures'][number] => {
    const one = found.figures.find((f) => f.name === name);
    if (one === undefined) throw new Error(name);
    return one;
  };

  it.each(NAMES.filter((name) => name !== 'warmRefusals'))('gives back %s within 2 %%', (name) => {
    const { fitted, shipped } = figure(name);
    expect(Math.abs(fitted / shipped / (OTHER[name] ?? 1) - 1)).toBeLessThan(0.02);
  });

  it('is predicted by them, in the part that took no part too', () => {
    expect(found.fitted.before.median_abs_error).toBeGreaterThan(0.04);
    expect(found.fitted.after.median_abs_error).toBeLessThan(0.01);
    expect(found.held.after.median_abs_error).toBeLessThan(0.01);
  });

  it('says of a figure that no step depends on that it is left', () => {
    const { fitted, shipped, steps, error } = figure('warmRefusals');
    expect({ fitted, steps, error }).toEqual({ fitted: shipped, steps: [], error: null });
  });

  it('names the steps that constrain a figure, the largest part first', () => {
    const { steps, error } = figure('gpuFirstService');
    expect(steps[0]?.op).toMatch(/^gpu_chain/);
    const shares = steps.map(({ share }) => share);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    expect(error).toBeLessThan(0.01);
  });

  it('makes a cost file that is read back', () => {
    const file = costFile(found);
    expect(file).toMatchObject({ version: 1, machine: 'another machine', gpu: 'h100' });
    const read = parseUvmCosts(JSON.stringify(file));
    if (!read.ok) throw new Error(read.message);
    expect(read.figures.cpuFault.value).toBe(figure('cpuFault').fitted);
    expect(read.figures.cpuFault.machine).toBe('another machine');
    expect(read.figures.warmRefusals).toEqual(TRACED_FIGURES.warmRefusals);
  });
});

describe('the recordings of the shipped figures', () => {
  it('give shipped figures back within 30 %', () => {
    const parsed = parseTimes(goldenText('h100-uvm/times-public.jsonl.gz'));
    if (!parsed.ok) throw new Error(parsed.message);
    const names: UvmFigureName[] = ['hostChunkZero', 'cpuPopulatePage', 'gpuFirstService', 'gpuInterrupt'];
    const found = calibrate(fitted, [], { names, times: [parsed.times] });
    expect(found.figures.filter(({ steps }) => steps.length > 0).map(({ name }) => name)).toEqual(names);
    for (const { name, fitted: value, shipped } of found.figures)
      expect(Math.abs(value - shipped), name).toBeLessThanOrEqual(0.3 * shipped);
    expect(found.fitted.after.median_abs_error).toBeLessThan(0.12);
  });

  it('cannot be fitted where no two runs agree', () => {
    const [one] = chosen;
    if (one === undefined) throw new Error('no scenario');
    expect(() => calibrate([{ ...one, runs: one.runs.slice(0, 1) }], [])).toThrow(/nothing to fit/);
  });
});

describe('costs', () => {
  it.each(SHORT)('decide nothing in %s: other times, the same events', (name) => {
    const run = chosen.find((scenario) => scenario.name === name)?.runs[0];
    if (run === undefined) throw new Error(name);
    const shipped = runScenario(run);
    const other = runScenario(run, { figures: scaled(OTHER) });
    expect(other.events.map(eventKey)).toEqual(shipped.events.map(eventKey));
    expect(other.stepNs).not.toEqual(shipped.stepNs);
  });

  const file = (figures: object, rest: object = {}): string =>
    JSON.stringify({ format: 'nvidia-uvm-costs', version: 1, figures, ...rest });

  it.each([
    ['{', /not JSON/],
    ['[]', /no cost file/],
    [file({}, { version: 2 }), /version 2/],
    [file([]), /"figures" has to be an object/],
    [file({ cpuFaults: { value: 1, unit: 'ns' } }), /no figure cpuFaults/],
    [file({ cpuFault: 5 }), /cpuFault has to be an object/],
    [file({ cpuFault: { value: -1, unit: 'ns' } }), /cpuFault has to be a number/],
    [file({ warmFaults: { value: 0, unit: 'faults' } }), /warmFaults has to be above 0/],
    [file({ cpuFault: { value: 1, unit: 'us' } }), /cpuFault is in "ns", not in "us"/],
  ])('in a wrong file are refused with a line: %s', (text, message) => {
    const read = parseUvmCosts(text);
    expect(read.ok ? '' : read.message).toMatch(message);
    expect(read.ok ? '\n' : read.message).not.toContain('\n');
  });
});

describe('least errors', () => {
  const wide = (columns: number): Float64Array => new Float64Array(columns).fill(5);

  it('goes by what most steps say, not by the one that is far off', () => {
    const slopes = Float64Array.of(1, 1, 1, 1, 1);
    const errors = Float64Array.of(-0.5, -0.5, -0.5, -0.5, 40);
    const [change] = leastErrors(
      { errors, slopes, columns: 1 },
      new Float64Array(1),
      wide(1).map((n) => -n),
      wide(1),
    );
    expect(change).toBeCloseTo(0.5, 2);
  });

  it('shares between figures that no step tells apart, and keeps to its bounds', () => {
    const slopes = Float64Array.of(1, 1, 0);
    const steps = { errors: Float64Array.of(-0.4), slopes, columns: 3 };
    const low = new Float64Array(3).fill(-5);
    const [one = 0, another = 0, none] = leastErrors(steps, new Float64Array(3), low, wide(3));
    expect(one + another).toBeCloseTo(0.4, 2);
    expect(Math.min(one, another)).toBeGreaterThan(0.1);
    expect(none).toBeCloseTo(0);
    const bound = leastErrors(steps, new Float64Array(3), low, Float64Array.of(0.1, 5, 5));
    expect([...bound].map((n) => n.toFixed(1))).toEqual(['0.1', '0.3', '0.0']);
  });
});
