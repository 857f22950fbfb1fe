import { errnoName } from '@hmm/kernel';
import type { ProgramRun } from '@hmm/machine';
import type { Verdict } from './suite.js';

/** Results of this name's kind (`ask_prefetch0`) are what a call returned that a driver may refuse; the program says by which errno. */
const ASKED = /^(?:\w+:)?ask_([a-z_]+)\d*$/;

/** What a program that has run says. Undefined: nothing stands against a pass. */
export function verdictOf({ problem, failures, results }: ProgramRun): Verdict | undefined {
  const at = problem ?? failures[0];
  if (at !== undefined) {
    const what = problem === undefined ? (failures[0]?.seen ?? '') : problem.message;
    if (problem?.message.includes('-EOPNOTSUPP') === true) return { result: 'refused', reason: what };
    return { result: 'failed', reason: `line ${at.span.line}: ${what}` };
  }
  for (const [name, [rc]] of results) {
    const [, call] = ASKED.exec(name) ?? [];
    if (call !== undefined && rc !== undefined && rc < 0)
      return {
        result: 'refused',
        reason: `the driver refuses: ${call.replaceAll('_', ' ')} (-${errnoName(rc)})`,
      };
  }
  return undefined;
}
