import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { goldenText } from '@hmm/golden';
import { TRACED_FIGURES, UNTRACED_FIGURES, type UvmFigures } from '@hmm/nvidia-uvm-model';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CaptureRun,
  parseCapture,
  predictManaged,
  runScenario,
  scenariosOf,
} from '@hmm/nvidia-uvm-model/validate';

const NAMES = Object.keys(TRACED_FIGURES) as (keyof UvmFigures)[];
/** Those that only tell short from long, or cold from warm, in the table of sizes. */
const OF_THE_TABLE: readonly (keyof UvmFigures)[] = ['batchWarmShare', 'batchWarmTime'];
/** Those that only say when an event is told of. */
const OF_EVENTS: readonly (keyof UvmFigures)[] = ['gpuTableLead', 'gpuTableWrite'];
const CHANGED = NAMES.filter((name) => UNTRACED_FIGURES[name].value !== TRACED_FIGURES[name].value);
/** Sizes of the table, bytes. */
const SIZES = [64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024, 16 * 1024 * 1024];

/** The recorded machine's figures with `name` another one. */
function traced(name: keyof UvmFigures, value: number): UvmFigures {
  return { ...TRACED_FIGURES, [name]: { ...TRACED_FIGURES[name], value } };
}

function recording(name: string): string {
  const at = new URL(`../../../tools/uvm-capture/recordings/${name}`, import.meta.url);
  return gunzipSync(readFileSync(at)).toString('utf8');
}

function runsOf(text: string): CaptureRun[] {
  const parsed = parseCapture(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return scenariosOf(parsed.runs).flatMap(
    ({ runs }) =>
      runs.find(({ steps }) => steps.some(({ pages }) => pages !== undefined)) ?? runs.slice(0, 1),
  );
}

const pagesOf = ({ steps }: CaptureRun): number => steps.reduce((sum, { count }) => sum + count, 0);
const byLength = (a: CaptureRun, b: CaptureRun): number => pagesOf(a) - pagesOf(b);

const durations = (run: CaptureRun, figures: UvmFigures): string =>
  runScenario(run, { figures })
    .stepNs.map((ns) => ns.toFixed(1))
    .join();

describe('every figure', () => {
  it.each(NAMES)('%s says where it is from', (name) => {
    for (const figure of [TRACED_FIGURES[name], UNTRACED_FIGURES[name]]) {
      expect(figure.machine).toMatch(/H[12]00/);
      for (const text of [figure.note, figure.recording, figure.method]) expect(text).not.toBe('');
      expect(figure.error).toBeGreaterThan(0);
      expect(figure.error).toBeLessThan(0.5);
    }
  });
});

describe('every figure changes a recorded step', () => {
  /** Runs that have told of a figure, and the others. */
  const told: CaptureRun[] = [];
  const rest: CaptureRun[] = [];
  const known = new Map<CaptureRun, string>();

  beforeAll(() => {
    rest.push(...runsOf(recording('h100-580.159.04.jsonl.gz')));
    rest.push(...runsOf(goldenText('h100-uvm/uvm-public.jsonl.gz')));
    rest.push(...runsOf(goldenText('h100-uvm/uvm-public2.jsonl.gz')));
    rest.push(...runsOf(recording('h100-580.159.04-mixtures.jsonl.gz')));
    rest.push(...runsOf(goldenText('h200-parts/fork-gup.jsonl.gz')));
    rest.push(...runsOf(goldenText('h200-parts/parts.jsonl.gz')).slice(0, 40));
    rest.push(...runsOf(goldenText('h200-parts/copies.jsonl.gz')).slice(0, 20));
    rest.sort(byLength);
  });

  /** Whether one of the runs takes another time with `figures`: those that have told of a figure before are asked first, short ones before long ones. */
  function changesOne(figures: UvmFigures): boolean {
    const tells = (run: CaptureRun): boolean => {
      const before = known.get(run) ?? durations(run, TRACED_FIGURES);
      known.set(run, before);
      return durations(run, figures) !== before;
    };
    if (told.some(tells)) return true;
    const at = rest.findIndex(tells);
    if (at < 0) return false;
    told.push(...rest.splice(at, 1));
    told.sort(byLength);
    return true;
  }

  const oneOf = (name: keyof UvmFigures): boolean => OF_THE_TABLE.includes(name) || OF_EVENTS.includes(name);

  it.each(NAMES.filter((name) => !oneOf(name)))('%s', (name) => {
    const { value } = TRACED_FIGURES[name];
    expect(changesOne(traced(name, 1.5 * value)) || changesOne(traced(name, 0))).toBe(true);
  });
});

describe('every figure of events moves one', () => {
  const runs = runsOf(goldenText('h200-parts/fork-gup.jsonl.gz')).concat(
    runsOf(goldenText('h200-parts/parts.jsonl.gz')).filter(({ asked }) =>
      asked[1]?.includes('preferred:cpu'),
    ),
  );
  const times = (figures: UvmFigures): string =>
    runs
      .map((run) =>
        runScenario(run, { figures })
          .events.map(({ t }) => t)
          .join(),
      )
      .join();

  it.each(OF_EVENTS)('%s', (name) => {
    expect(times(traced(name, 0))).not.toBe(times(TRACED_FIGURES));
  });
});

describe('every figure without the recording of events changes the table of sizes', () => {
  const table = (figures: UvmFigures): string =>
    SIZES.map((bytes) => Object.values(predictManaged(bytes, { figures })).join()).join('\n');

  it.each(CHANGED)('%s', (name) => {
    const asTraced = { ...UNTRACED_FIGURES, [name]: TRACED_FIGURES[name] };
    expect(table(asTraced)).not.toBe(table(UNTRACED_FIGURES));
  });
});
