import { HmmError } from '@hmm/kernel';
import type { SearchOptions } from '../engine/search.js';
import type { LitmusProgram } from '../litmus/program.js';
import { runLitmus } from '../litmus/run-litmus.js';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
import { type Mutant, MUTANTS } from './mutants.js';

/** What became of one mutant; the form of `hmm mutants --json`. */
export interface MutantReport {
  readonly id: string;
  readonly title: string;
  readonly expressible: boolean;
  /** Litmus tests that break. */
  readonly caught_by: readonly string[];
  /** What the first of them breaks; null where none does. */
  readonly invariant: string | null;
  readonly seconds: number;
  /** Why the model cannot express it; null where it can. */
  readonly reason: string | null;
}

/** What became of all. */
export interface MutantsReport {
  readonly version: 1;
  readonly mutants: readonly MutantReport[];
  /** Expressible and caught; expressible and missed. */
  readonly caught: number;
  readonly missed: number;
}

/**
 * Plants each bug of the catalogue in turn and explores the tests that must catch it.
 * @param library the litmus tests by name. @param only ids to run; all without.
 * @throws HmmError `NO_TEST` when a mutant names a test that the library does not have.
 */
export function runMutants(
  library: ReadonlyMap<string, LitmusProgram>,
  devices: MirrorDevicesFactory,
  options: SearchOptions = {},
  only?: ReadonlySet<string>,
): MutantsReport {
  const chosen = MUTANTS.filter(({ id }) => only === undefined || only.has(id));
  const mutants = chosen.map((mutant) => runMutant(mutant, library, devices, options));
  const caught = mutants.filter(({ caught_by }) => caught_by.length > 0).length;
  return {
    version: 1,
    mutants,
    caught,
    missed: mutants.filter(({ expressible }) => expressible).length - caught,
  };
}

function runMutant(
  mutant: Mutant,
  library: ReadonlyMap<string, LitmusProgram>,
  devices: MirrorDevicesFactory,
  options: SearchOptions,
): MutantReport {
  const { id, title, tests, reason = null } = mutant;
  const begin = options.now?.() ?? 0;
  const caughtBy: string[] = [];
  let invariant: string | null = null;
  for (const name of tests) {
    const program = library.get(name);
    if (program === undefined)
      throw new HmmError('NO_TEST', `${id} names the test ${name}, which is not there`, { name });
    const broken = brokenBy(mutant, program, devices, options);
    if (broken === undefined) continue;
    caughtBy.push(name);
    invariant ??= broken;
  }
  const seconds = (options.now?.() ?? 0) - begin;
  return { id, title, expressible: tests.length > 0, caught_by: caughtBy, invariant, seconds, reason };
}

/** What a test breaks with the mutant planted; undefined when it holds. */
function brokenBy(
  mutant: Mutant,
  program: LitmusProgram,
  devices: MirrorDevicesFactory,
  options: SearchOptions,
): string | undefined {
  const settings = new Map([...program.settings, ['mutant', mutant.id]]);
  try {
    const { report } = runLitmus({ ...program, settings }, devices, { ...options, minimiseExecutions: 0 });
    if (report.verdict !== 'violated') return undefined;
    return report.counterexample?.invariant ?? program.quantifier ?? 'condition';
  } catch (error) {
    // The initial state cannot be set up any more.
    if (error instanceof HmmError) return error.code;
    throw error;
  }
}
