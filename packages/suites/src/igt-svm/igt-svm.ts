import type { ProgramFile } from '@hmm/workload';
import { programRunner, suiteProgram } from '../program-runner.js';
import { programSuite } from '../program-suite.js';
import type { Suite, SuiteTest, Verdict } from '../suite.js';
import type { MirrorDevicesFactory } from '@hmm/explore';
import { execProgram } from './exec-program.js';
import { exploredTests } from './explored.js';
import { FLAG_SETS, flagsOf } from './flags.js';
import { otherTests } from './others.js';
import { partialTests } from './partial.js';
import { gridTable } from './grid-table.js';
import { emptyInShape, meaningless, shapes } from './shapes.js';

/** A test of the suite: its program, or why there is none. */
interface IgtTest {
  readonly name: string;
  /** Text of its program; of two tests with the same text one is run. Empty where there is none. */
  readonly text: string;
  /** Why the original does nothing, or why the program leaves out what the test is about. */
  readonly reason: string | undefined;
}

/** The grid: each flag set in each shape. @param many executions of the shapes that have many. */
function igtGrid(many?: number): readonly IgtTest[] {
  return FLAG_SETS.flatMap((set) => {
    const flags = flagsOf(set);
    return shapes(many).map((shape) => {
      const reason = emptyInShape(flags, shape) ?? meaningless(flags);
      const text = reason === undefined ? execProgram(flags, shape) : '';
      return { name: `${shape.name}-${set}`, text, reason };
    });
  });
}

const IGT = {
  name: 'igt-svm',
  title: "IGT's xe_exec_system_allocator",
  source:
    'https://gitlab.freedesktop.org/drm/igt-gpu-tools/-/blob/master/tests/intel/xe_exec_system_allocator.c',
};

/**
 * IGT's `xe_exec_system_allocator`: memory of the process on the GPU, without any call that prepares it.
 * @param devices explore the small concurrent ones; without, these are left out.
 */
export function igtSvm(devices?: MirrorDevicesFactory): Suite {
  const grid = igtGrid();
  const rest = programSuite(IGT, [...partialTests(), ...otherTests()]);
  const parsed = new Map<string, ProgramFile>();
  return {
    ...IGT,
    tests(client, release) {
      const run = programRunner(client, release);
      const known = new Map<string, Verdict>();
      const inGrid = grid.map(({ name, text, reason }): SuiteTest => ({
        name,
        run() {
          if (reason !== undefined) return { result: 'refused', reason };
          const program = parsed.get(text) ?? suiteProgram(name, text);
          parsed.set(text, program);
          const verdict = known.get(text) ?? run(program);
          known.set(text, verdict);
          return verdict;
        },
      }));
      const explored =
        devices === undefined || client.explored !== true ? [] : exploredTests(client, release, devices);
      return [...inGrid, ...rest.tests(client, release), ...explored];
    },
    table: gridTable,
  };
}
