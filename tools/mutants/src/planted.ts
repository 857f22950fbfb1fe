import { compileLitmus, runLitmus } from '@hmm/explore';
import { devicesByClient } from '@hmm/explore/internal';
import { HmmError, type Release } from '@hmm/kernel';
import { mlx5Factory } from '@hmm/mlx5-model';
import { rxeFactory } from '@hmm/rxe-model';
import { litmusDevices } from '@hmm/test-device';
import { formatSourceError, parseProgram } from '@hmm/workload';
import { scenarios } from './scenarios.js';

// What is bundled with the sources of a planted bug, and loaded by a worker of its own.

/** One test to run on the sources that are bundled with this. */
export interface PlantedTest {
  readonly name: string;
  /** The litmus test's text; undefined for a scenario of this package. */
  readonly text: string | undefined;
  /** The release that it runs on unless it says one itself; undefined for the one that a test has by itself. */
  readonly release?: Release;
}

/** The adapters, and the test device where a test names none. */
const devices = devicesByClient([rxeFactory(), mlx5Factory()], litmusDevices);

/** Executions within which a test that catches a bug does so: more than the largest of them needs. */
const MAX_EXECUTIONS = 20_000;

/** What became of it. */
export interface PlantedResult {
  /** What the test breaks: an invariant, its own condition, or the code of an error; undefined when it holds. */
  readonly broken: string | undefined;
  readonly seconds: number;
}

/** Runs a test. @throws HmmError `NO_TEST` */
export default function runPlanted({ name, text, release }: PlantedTest): PlantedResult {
  const begin = performance.now();
  const broken = text === undefined ? scenarioBroken(name) : litmusBroken(name, text, release);
  return { broken, seconds: (performance.now() - begin) / 1000 };
}

function scenarioBroken(name: string): string | undefined {
  const scenario = scenarios.get(name);
  if (scenario === undefined) throw new HmmError('NO_TEST', `there is no test ${name}`, { name });
  return scenario();
}

function litmusBroken(name: string, text: string, release: Release | undefined): string | undefined {
  const parsed = parseProgram(text, name);
  if (!parsed.ok) throw new HmmError('NO_TEST', parsed.errors.map(formatSourceError).join('\n'), { name });
  const compiled = compileLitmus(parsed.program, name);
  if (!compiled.ok)
    throw new HmmError('NO_TEST', compiled.errors.map(formatSourceError).join('\n'), { name });
  const { settings } = compiled.program;
  const program =
    release === undefined || settings.has('release')
      ? compiled.program
      : { ...compiled.program, settings: new Map([...settings, ['release', release]]) };
  try {
    // A bug may keep state where the search does not look for it.
    const options = { maxExecutions: MAX_EXECUTIONS, minimiseExecutions: 0, recogniseStates: false };
    const { report } = runLitmus(program, devices, options);
    if (report.verdict !== 'violated') return undefined;
    return report.counterexample?.invariant ?? program.quantifier ?? 'condition';
  } catch (error) {
    // The initial state cannot be set up any more.
    if (error instanceof HmmError) return error.code;
    throw error;
  }
}
