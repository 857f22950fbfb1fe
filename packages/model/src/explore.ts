import { allDrivers } from '@hmm/drivers';
import { compileLitmus, type LitmusReport, runLitmus, type SearchOptions, type Story } from '@hmm/explore';
import { devicesByClient } from '@hmm/explore/internal';
import { HmmError, NEWEST_EXACT_RELEASE } from '@hmm/kernel';
import { litmusDevices } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';
import { type Refusal, refusedBy, refusedFor } from './problem.js';

// Browsers and Node have it; the library of types that is in force here has not.
declare const performance: { now(): number };

/** How a litmus test is explored. */
export interface ExploreOptions extends Pick<
  SearchOptions,
  'strategy' | 'seed' | 'maxSeconds' | 'maxExecutions'
> {
  /** Settings of the test, of its devices and of the kernel, above its own: `{ release: '7.3' }`, `{ client: 'nouveau' }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Name of its file, for messages. Default: `litmus test`. */
  readonly file?: string;
}

/**
 * What became of a litmus test: `ok` (all that it says holds, in every interleaving), `violated`, `incomplete` (a limit was reached first),
 * or `refused`.
 */
export type Exploration =
  | {
      readonly outcome: 'ok' | 'violated' | 'incomplete';
      /** What `hmm litmus --json` has as a test: outcomes, counts, counterexample. */
      readonly report: LitmusReport;
      /** How it is violated, step by step. */
      readonly story: Story | undefined;
    }
  | Refusal;

/**
 * Explores every interleaving of a litmus test, under the kernel's own test device or, with `set client = NAME`, under a driver. Without
 * `maxSeconds` or `maxExecutions` it ends when all is explored.
 */
export function explore(litmus: string, options: ExploreOptions = {}): Exploration {
  const { file = 'litmus test', settings: given = {}, ...search } = options;
  const parsed = parseProgram(litmus, file);
  if (!parsed.ok) return refusedFor(parsed.errors);
  if (parsed.program.kind !== 'litmus')
    return refusedBy('this is a program: a litmus test begins with "litmus NAME" and has columns');
  const compiled = compileLitmus(parsed.program, file);
  if (!compiled.ok) return refusedFor(compiled.errors);
  const own = Object.entries(given).map(([key, value]) => [key, String(value)] as const);
  const settings = new Map([['release', NEWEST_EXACT_RELEASE], ...compiled.program.settings, ...own]);
  const devices = devicesByClient(allDrivers(), litmusDevices);
  try {
    const now = (): number => performance.now() / 1000;
    const { report, story } = runLitmus({ ...compiled.program, settings }, devices, { now, ...search });
    return { outcome: report.verdict, report, story };
  } catch (error) {
    if (!(error instanceof HmmError) || error.code !== 'SETTING') throw error;
    const { line, column } = compiled.program.settingPlaces.get(String(error.data['key'])) ?? {};
    if (line === undefined || column === undefined) return refusedBy(error.message);
    return { outcome: 'refused', problems: [{ message: error.message, line, column }] };
  }
}
