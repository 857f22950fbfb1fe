import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { goldenText } from '@hmm/golden';
import { H200_FIGURES, TRACED_FIGURES, UNTRACED_FIGURES, type UvmFigures } from '@hmm/nvidia-uvm-model';
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
/** Those of calls that the table of sizes has none of: advice, and a prefetch that moves nothing. */
const OF_OTHER_CALLS: readonly (keyof UvmFigures)[] = ['adviceFirst', 'callEmptyCold'];
const CHANGED = NAMES.filter(
  (name) => UNTRACED_FIGURES[name].value !== TRACED_FIGURES[name].value && !OF_OTHER_CALLS.includes(name),
);
/** Times the recorded value: moments at which rules read the clock change a step only where a rule then decides otherwise. */
const MUCH_MORE = 20;
/** Sizes of the table, bytes. */
const SIZES = [64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024, 16 * 1024 * 1024];

/** The H100's figures, with those that its recordings do not tell apart as on an H200. */
const ALL_ACTING = NAMES.reduce<UvmFigures>(
  (all, name) => (TRACED_FIGURES[name].value === 0 ? { ...all, [name]: H200_FIGURES[name] } : all),
  TRACED_FIGURES,
);

/** These with `factor` times the values of `names`. */
function traced(names: readonly (keyof UvmFigures)[], factor: number): UvmFigures {
  const figures = { ...ALL_ACTING };
  for (const name of names) figures[name] = { ...figures[name], value: factor * figures[name].value };
  return figures;
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

const durations = (run: CaptureRun, figures: UvmFigures): string =>
  runScenario(run, { figures })
    .stepNs.map((ns) => ns.toFixed(1))
    .join();

/** Those of `names` without which, or with much more of which, a step of the run takes another time. All are changed at once first: most runs tell of none that is left. */
function tellersOf(run: CaptureRun, names: readonly (keyof UvmFigures)[]): readonly (keyof UvmFigures)[] {
  const before = durations(run, ALL_ACTING);
  const among = (some: readonly (keyof UvmFigures)[]): readonly (keyof UvmFigures)[] => {
    if ([MUCH_MORE, 0].every((factor) => durations(run, traced(some, factor)) === before)) return [];
    const half = some.length >> 1;
    return half === 0 ? some : [...among(some.slice(0, half)), ...among(some.slice(half))];
  };
  return among(names);
}

describe('every figure', () => {
  it.each(NAMES)('%s says where it is from', (name) => {
    for (const figure of [TRACED_FIGURES[name], UNTRACED_FIGURES[name], H200_FIGURES[name]]) {
      expect(figure.machine).toMatch(/H[12]00/);
      for (const text of [figure.note, figure.recording, figure.method]) expect(text).not.toBe('');
      expect(figure.error).toBeGreaterThan(0);
      expect(figure.error).toBeLessThan(0.55);
    }
  });
});

describe('every figure changes a recorded step', () => {
  const oneOf = (name: keyof UvmFigures): boolean => OF_THE_TABLE.includes(name) || OF_EVENTS.includes(name);
  const asked = NAMES.filter((name) => !oneOf(name));
  const told = new Set<keyof UvmFigures>();

  beforeAll(() => {
    const runs = [
      recording('h100-580.159.04.jsonl.gz'),
      goldenText('h100-uvm/uvm-public.jsonl.gz'),
      goldenText('h100-uvm/uvm-public2.jsonl.gz'),
      recording('h100-580.159.04-mixtures.jsonl.gz'),
      goldenText('h200-parts/fork-gup.jsonl.gz'),
      goldenText('h200-parts/parts.jsonl.gz'),
      goldenText('h200-parts/copies.jsonl.gz'),
    ].flatMap((text) => runsOf(text));
    const pages = ({ steps }: CaptureRun): number => steps.reduce((sum, { count }) => sum + count, 0);
    runs.sort((a, b) => pages(a) - pages(b));
    for (const run of runs) {
      const left = asked.filter((name) => !told.has(name));
      if (left.length === 0) break;
      for (const name of tellersOf(run, left)) told.add(name);
    }
  }, 600_000);

  it.each(asked)('%s', (name) => {
    expect(told).toContain(name);
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
    expect(times(traced([name], 0))).not.toBe(times(ALL_ACTING));
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
