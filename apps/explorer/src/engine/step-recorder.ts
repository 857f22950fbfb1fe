import { FunctionNames } from '@hmm/explore';
import { type Agent, type Sched, SP_BLOCK, SP_DELAY, tracepoint } from '@hmm/kernel';
import { meaningOf } from '@hmm/kernel/internal';
import type { ClientFactory } from '@hmm/device';
import { type Machine, prepareProgram, type PreparedProgram } from '@hmm/machine';
import { mmuNotifierInvariants } from '@hmm/mmu-notifier';
import type { ProgramFile } from '@hmm/workload';
import { valueText } from './event-text.js';
import { placeOf } from './page-name.js';
import { FiveSteps, type StepEvent } from './five-steps.js';
import { machineView } from './machine-view.js';
import { buildPane, type PaneMachine } from './pane-machine.js';
import type { PaneSpec } from './protocol.js';
import type { RegionView } from './run-view.js';
import { StatementLog } from './statement-log.js';
import type { StepRecord, StepRun } from './step-view.js';

/** More steps than that are not kept. */
const MAX_STEPS = 4000;
/** Functions that run a program's text: no part of a kernel or driver. */
const PROGRAM_FUNCTION = /^run_|^joined$/;
/** Calls below each other that are looked at for names. */
const STACK_DEPTH = 60;

/**
 * Runs a program in virtual time, stopping at each scheduling point of the protocol, and notes what each step did and
 * changed. The order of the agents is that of an ordinary run: one goes on until it waits.
 */
export function recordSteps(
  program: ProgramFile,
  spec: PaneSpec,
  factories: readonly ClientFactory[],
): StepRun {
  const pane = buildPane(program, spec, factories, true);
  if (!pane.ok) return pane;
  const recorder = new StepRecorder(pane);
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_DEPTH;
  const problem = recorder.run();
  Error.stackTraceLimit = depth;
  const { title } = pane.factory;
  if (problem !== undefined) return { ok: false, title, ...problem };
  const { sched } = pane.machine.kernel;
  return {
    ok: true,
    title,
    client: pane.factory.name,
    gpu: pane.gpu,
    agents: sched.agents.map(({ name }) => name),
    regions: regionViews(pane.machine),
    keys: [...recorder.keys].sort(byPart),
    steps: recorder.steps,
    truncated: recorder.truncated,
    values: Object.fromEntries(recorder.prepared.context.state.results),
  };
}

/** Pages first, each with its CPU entry, device entry and folio; then the rest. */
function byPart(a: string, b: string): number {
  const rank = (key: string): string => {
    const [part = '', name = ''] = key.split(' ');
    return part === 'notifier' ? `~${name}` : `${name} ${['CPU', 'GPU', 'folio'].indexOf(part)}`;
  };
  return rank(a).localeCompare(rank(b), 'en', { numeric: true });
}

function regionViews(machine: Machine): RegionView[] {
  let row = 0;
  return [...machine.regions.values()].map(({ name, pages }) => {
    const view = { name, row, pages };
    row += pages;
    return view;
  });
}

class StepRecorder {
  readonly steps: StepRecord[] = [];
  readonly keys = new Set<string>();
  readonly prepared: PreparedProgram;
  truncated = false;
  private readonly pane: PaneMachine;
  private readonly names: FunctionNames;
  private readonly log: StatementLog;
  private readonly five: FiveSteps;
  private before: ReadonlyMap<string, string>;
  private traced = 0;

  constructor(pane: PaneMachine) {
    this.pane = pane;
    this.log = new StatementLog(pane.gpus);
    this.names = new FunctionNames(true, [pane.factory.naming]);
    this.prepared = prepareProgram(pane.machine, pane.program, pane.parameters, this.log);
    this.five = new FiveSteps(pane.factory);
    this.before = machineView(pane);
  }

  run(): { message: string; line: number; column: number } | undefined {
    const { prepared } = this;
    const columns = prepared.threads.map(({ name, task }) => [name, task] as const);
    const agents: Agent[] = [];
    const { sched } = this.pane.machine.kernel;
    agents.push(this.all([sched.spawn('main', prepared.body)]));
    agents.push(...this.each(columns.map(([name, task]) => sched.spawn(name, task()))));
    agents.push(this.all([sched.spawn('final', prepared.final())]));
    for (const { result } of agents) {
      if (typeof result === 'object' && result !== null && 'message' in result && 'span' in result) {
        const { message, span } = result as { message: string; span: { line: number; column: number } };
        return { message, line: span.line, column: span.column };
      }
    }
    return undefined;
  }

  private all(agents: [Agent]): Agent {
    this.each(agents);
    return agents[0];
  }

  private each(agents: readonly Agent[]): readonly Agent[] {
    const { sched } = this.pane.machine.kernel;
    sched.lockdep.enabled = true;
    while (agents.some((agent) => agent.state !== 2)) {
      const agent = sched.next();
      if (agent === undefined) break;
      if (agent.wakeAt > sched.now) sched.now = agent.wakeAt;
      this.turn(sched, agent);
    }
    return agents;
  }

  /** Lets `agent` go on until it waits, noting every scheduling point on the way. */
  private turn(sched: Sched, agent: Agent): void {
    for (;;) {
      sched.exploring = !this.truncated;
      sched.observer = this.truncated ? undefined : this.names;
      const point = sched.step(agent);
      sched.exploring = false;
      sched.observer = undefined;
      if (!this.truncated) this.note(agent);
      if (point === undefined || point === SP_BLOCK || point === SP_DELAY) return;
    }
  }

  private note(agent: Agent): void {
    const { machine } = this.pane;
    const functions = this.names.take().filter((name) => !PROGRAM_FUNCTION.test(name));
    const events = this.newEvents(machine);
    const after = machineView(this.pane);
    const changes = changesBetween(this.before, after);
    const ended = this.log.takeEnded();
    const statement = ended.find(({ side }) => side === 'gpu') ?? this.log.statements.at(-1);
    const done = ended.map(({ text, result }) => `done: ${text}${result === '' ? '' : `, ${result}`}`);
    if (functions.length + events.length + done.length + changes.length === 0) return;
    if (this.steps.length >= MAX_STEPS) {
      this.truncated = true;
      return;
    }
    this.before = after;
    for (const [key] of changes) this.keys.add(key);
    const told = this.five.next(statement, ended, functions, events);
    this.steps.push({
      time: machine.kernel.sched.now,
      agent: agent.id,
      line: statement?.line ?? 0,
      functions: [...new Set(functions)],
      events: [...events.map(({ text }) => text), ...done],
      changes,
      locks: heldLocks(machine.kernel.sched),
      five: told.step,
      narration: told.narration,
      broken: brokenInvariant(machine),
    });
  }

  private newEvents(machine: Machine): StepEvent[] {
    const { trace } = machine.kernel;
    const regions = regionViews(machine);
    const told: StepEvent[] = [];
    for (; this.traced < trace.length; this.traced++) {
      const { kind, page, length, value } = trace.at(this.traced);
      const { name } = tracepoint(kind);
      const region = [...machine.regions.values()].findIndex(
        ({ vpn, pages }) => page >= vpn && page < vpn + pages,
      );
      const row =
        region < 0
          ? -1
          : (regions[region]?.row ?? 0) + page - ([...machine.regions.values()][region]?.vpn ?? 0);
      const said = valueText(name, value, length);
      const text = [name, placeOf(regions, row, length), said].filter((part) => part !== '').join(' ');
      told.push({ meaning: meaningOf(kind, value), text });
    }
    return told;
  }
}

function changesBetween(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): [key: string, text: string][] {
  const changes: [string, string][] = [];
  for (const [key, text] of after) if (before.get(key) !== text) changes.push([key, text]);
  for (const key of before.keys()) if (!after.has(key)) changes.push([key, '']);
  return changes;
}

function heldLocks(sched: Sched): string[] {
  return sched.agents.flatMap(({ name, held }) =>
    held.map((cls) => `${name}: ${sched.lockdep.className(cls)}`),
  );
}

function brokenInvariant(machine: Machine): string {
  for (const { mm } of machine.processes.values()) {
    if (mm.notifierSubscriptions === undefined) continue;
    for (const [name, invariant] of Object.entries(mmuNotifierInvariants)) {
      const detail = invariant(mm.notifierSubscriptions);
      if (detail !== undefined) return `${name}: ${detail}`;
    }
  }
  return '';
}
