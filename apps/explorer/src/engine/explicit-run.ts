import type { ClientFactory } from '@hmm/device';
import { runProgram } from '@hmm/machine';
import { type ClientReport, compareWithExplicit } from '@hmm/report';
import type { ProgramFile } from '@hmm/workload';
import { withExplicitMemory } from '@hmm/workload/internal';
import type { ExplicitView } from './explicit-view.js';
import { buildPane } from './pane-machine.js';
import type { PaneSpec } from './protocol.js';
import { reportOf } from './summary.js';

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
    const { factory } = pane;
    const run = runProgram(pane.machine, pane.program, pane.parameters);
    const baseline = reportOf(pane, run);
    if (run.problem === undefined && baseline.error === null) {
      const whole = reports.filter(({ error }) => error === null);
      return { says: whole.map((report) => compareWithExplicit(report, baseline).says), why: '' };
    }
    why = `${factory.name}: ${run.problem?.message ?? baseline.error ?? ''}`;
  }
  return { says: [], why };
}
