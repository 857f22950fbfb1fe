import type { ProgramFile } from '@hmm/workload';
import { programRunner, suiteProgram } from './program-runner.js';
import type { Suite } from './suite.js';

/** A test that is a program of the language, or one that has no meaning here. */
export interface ProgramTest {
  /** As the original calls it. */
  readonly name: string;
  /** The program; its assertions are the test. */
  readonly text: string;
  /** Why there is no program. */
  readonly refused?: string;
  /** It leaves the device with less memory: the machine is its own. */
  readonly alone?: true;
}

/** A suite of programs. */
export function programSuite(
  of: Pick<Suite, 'name' | 'title' | 'source'>,
  tests: readonly ProgramTest[],
): Suite {
  const parsed = new Map<string, ProgramFile>();
  return {
    ...of,
    tests(client, release) {
      const together = programRunner(client, release);
      return tests.map(({ name, text, refused, alone }) => ({
        name,
        run() {
          if (refused !== undefined) return { result: 'refused', reason: refused };
          const program = parsed.get(name) ?? suiteProgram(name, text);
          parsed.set(name, program);
          return (alone === true ? programRunner(client, release) : together)(program);
        },
      }));
    },
  };
}
