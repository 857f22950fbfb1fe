import type { ClientFactory } from '@hmm/device';
import { runProgram } from '@hmm/machine';
import { type ClientReport, compareWithExplicit } from '@hmm/report';
import type { ProgramFile } from '@hmm/workload';
import { withExplicitMemory } from '@hmm/workload/internal';
import { buildPane } from './pane-machine.js';
import type { PaneSpec } from './protocol.js';
import { reportOf } from './summary.js';

/** How runs compare with the same program with explicit memory: a sentence a run, or why there is none. */
export interface ExplicitView {
  readonly says: readonly string[];
  /** `''` where there are sentences. */
  readonly why: string;
}

/** Runs the program's explicit form under the first of `panes` that can, and compares the `reports` of runs with it. */
export function besideExplicit(
  program: ProgramFile,
  panes: readonly PaneSpec[],
  reports: readonly ClientReport[],
  factories: readonly ClientFactory[],
): ExplicitView {
  const explicit = withExplicitMemory(program);
  if (!explicit.ok) return { says: [], why: explicit.message };
  let why = 'no pane has a driver that gives programs device memory';
  for (const spec of panes) {
    const pane = buildPane(explicit.program, spec, factories, true);
    if (!pane.ok) continue;
    const { client, factory, machine } = pane;
    const run = runProgram(machine, pane.program, pane.parameters);
    const baseline = reportOf(factory.name, machine, client, run, []);
    if (run.problem === undefined && baseline.error === null) {
      const whole = reports.filter(({ error }) => error === null);
      return { says: whole.map((report) => compareWithExplicit(report, baseline).says), why: '' };
    }
    why = `${factory.name}: ${run.problem?.message ?? baseline.error ?? ''}`;
  }
  return { says: [], why };
}
