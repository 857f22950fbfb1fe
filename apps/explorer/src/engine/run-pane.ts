import type { ClientFactory } from '@hmm/device';
import { type ProgramRun, runProgram } from '@hmm/machine';
import type { ClientReport } from '@hmm/report';
import type { ProgramFile } from '@hmm/workload';
import { eventColumns } from './event-columns.js';
import { LockLog } from './lock-log.js';
import { buildPane, type PaneMachine } from './pane-machine.js';
import type { PaneSpec } from './protocol.js';
import { ResidencySampler } from './residency-sampler.js';
import type { PaneRefusal, RunView } from './run-view.js';
import { barsOf, lockSpans, serviceSpans } from './spans.js';
import { StatementLog } from './statement-log.js';
import { reportOf, summaryOf } from './summary.js';

/** A pane's run, and what the worker keeps of it. */
export interface PaneRun {
  readonly ok: true;
  readonly run: RunView;
  readonly report: ClientReport;
  readonly pane: PaneMachine;
}

/** Runs a program on one pane's client, with a sampler that looks on and at each statement's ends. */
export function runPane(
  program: ProgramFile,
  spec: PaneSpec,
  factories: readonly ClientFactory[],
): PaneRun | PaneRefusal {
  const pane = buildPane(program, spec, factories, true);
  if (!pane.ok) return pane;
  const log = new StatementLog(pane.gpus);
  const locks = new LockLog(pane.machine.kernel.sched);
  const sampler = new ResidencySampler(pane.machine, pane.device, pane.gpus);
  pane.machine.kernel.sched.spawnDaemon('residency', sampler.watch());
  log.onChange = () => {
    sampler.sample();
  };
  const run = runProgram(pane.machine, pane.program, pane.parameters, log);
  const refused = refusalOf(pane, run);
  if (refused !== undefined) return refused;
  sampler.sample();
  return viewOf(pane, run, log, locks, sampler);
}

function refusalOf(pane: PaneMachine, run: ProgramRun): PaneRefusal | undefined {
  if (run.problem === undefined) return undefined;
  const { span, message } = run.problem;
  return { ok: false, title: pane.factory.title, message, line: span.line, column: span.column };
}

function viewOf(
  pane: PaneMachine,
  run: ProgramRun,
  log: StatementLog,
  locks: LockLog,
  sampler: ResidencySampler,
): PaneRun {
  const { factory, gpus, changed, machine } = pane;
  const report = reportOf(pane, run);
  const spans = [...lockSpans(locks.holds), ...serviceSpans(machine)];
  const bars = barsOf(machine, report.time_by_part.copying);
  const named = eventColumns({ machine, gpus, regions: sampler.regions, log, spans, bars });
  const view: RunView = {
    client: factory.name,
    title: factory.title,
    gpu: pane.gpu,
    gpus: gpus.count,
    changed,
    failures: run.failures.map(({ span, seen }) => ({ line: span.line, column: span.column, seen })),
    values: report.values,
    report,
    duration: Math.max(1, run.timeNs),
    timed: true,
    regions: sampler.regions,
    rows: Math.max(1, sampler.totalRows),
    ...named,
    residency: sampler.changes(),
    statements: log.statements,
    counters: sampler.counters(),
    ...summaryOf(report, named),
  };
  return { ok: true, run: view, report, pane };
}
