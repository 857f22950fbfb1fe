import { HmmError, type Release } from '@hmm/kernel';
import { formatSourceError, parseProgram, type ProgramFile } from '@hmm/workload';
import type { SuiteClient, Verdict } from './suite.js';
import { SuiteMachine } from './suite-machine.js';

/**
 * Reads a program that a suite made.
 * @throws HmmError `SUITE_TEXT` where it is none.
 */
export function suiteProgram(name: string, text: string): ProgramFile {
  const parsed = parseProgram(text, name);
  if (parsed.ok) return parsed.program;
  throw new HmmError('SUITE_TEXT', parsed.errors.map(formatSourceError).join('; '));
}

/**
 * Runs programs on `client` under `release`, one after another on one machine. A failure that goes away once a defect of the real
 * driver is mended is that defect's.
 */
export function programRunner(client: SuiteClient, release: Release): (program: ProgramFile) => Verdict {
  const machine = new SuiteMachine(client, release);
  return (program) => {
    const verdict = machine.run(program);
    if (verdict.result !== 'failed' || client.defects === undefined) return verdict;
    const { names, link, mended } = client.defects;
    const passes = (without: readonly string[]): boolean =>
      new SuiteMachine(client, release, mended(without)).run(program).result !== 'failed';
    if (!passes(names)) return verdict;
    const name = names.find((each) => passes([each])) ?? 'several';
    return { ...verdict, defect: { name, link: link(name) } };
  };
}
