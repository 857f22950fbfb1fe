import { gpuOfPlace } from '@hmm/device';
import type { ProgramContext, StatementObserver } from '@hmm/machine';
import { operationOfKind } from '@hmm/operations';
import { formatStatement, type Statement } from '@hmm/workload';
import { isControl } from '@hmm/workload/internal';
import type { MachineGpus } from './machine-gpus.js';
import type { StatementView } from './run-view.js';

/** More statements than that are run, but not listed. */
const MAX_STATEMENTS = 100_000;
const MAX_VALUES = 6;

/** What only holds other statements, or happens at no time, is not listed. */
function isListed(statement: Statement): boolean {
  return !isControl(statement) && statement.kind !== 'process';
}

/** Notes each statement of a run with its times and what it returned. */
export class StatementLog implements StatementObserver {
  readonly statements: StatementView[] = [];
  /** Called at each begin and end, when there is something to look at. */
  onChange: (() => void) | undefined;
  /** For each statement the scheduler's number of the agent that ran it. */
  readonly agents: number[] = [];
  private readonly gpus: MachineGpus | undefined;
  private readonly begun = new Map<string, number[]>();
  private ended: StatementView[] = [];

  /** @param gpus where statements shall be told apart by GPU. */
  constructor(gpus?: MachineGpus) {
    this.gpus = gpus;
  }

  begin(statement: Statement, context: ProgramContext): void {
    if (!isListed(statement) || this.statements.length >= MAX_STATEMENTS) return;
    const agent = agentOf(context);
    const { current, now } = context.state.machine.kernel.sched;
    const open = this.begun.get(agent) ?? [];
    this.begun.set(agent, open);
    open.push(this.statements.length);
    this.agents.push(current.id);
    this.statements.push({
      from: now,
      to: now,
      line: statement.span.line,
      text: formatStatement(statement).trim(),
      side: sideOf(statement),
      gpu: this.gpuOf(statement, context),
      agent,
      result: '',
    });
    this.onChange?.();
  }

  end(statement: Statement, context: ProgramContext): void {
    if (!isListed(statement)) return;
    const at = this.begun.get(agentOf(context))?.pop();
    const known = at === undefined ? undefined : this.statements[at];
    if (at === undefined || known === undefined) return;
    const to = context.state.machine.kernel.sched.now;
    const done = { ...known, to, result: resultOf(statement, context) };
    this.statements[at] = done;
    this.ended.push(done);
    this.onChange?.();
  }

  private gpuOf(statement: Statement, context: ProgramContext): number {
    if (sideOf(statement) === 'cpu') return -1;
    const { device } = 'device' in statement ? statement : { device: undefined };
    const name = device?.text ?? context.state.defaultDevice;
    return this.gpus?.numberOf(name, Math.max(0, numberOf(statement))) ?? 0;
  }

  /** The statements that have ended since the last call. */
  takeEnded(): readonly StatementView[] {
    const { ended } = this;
    this.ended = [];
    return ended;
  }
}

function numberOf(statement: Statement): number {
  if (statement.kind === 'access') return statement.gpu;
  return 'place' in statement && statement.place !== undefined ? gpuOfPlace(statement.place) : 0;
}

function agentOf(context: ProgramContext): string {
  return context.agent === '' ? context.process.name : `${context.process.name}:${context.agent}`;
}

function sideOf(statement: Statement): 'cpu' | 'gpu' {
  if (statement.kind === 'access') return statement.agent;
  return operationOfKind(statement.kind)?.side === 'gpu' ? 'gpu' : 'cpu';
}

function resultOf(statement: Statement, context: ProgramContext): string {
  const names = [];
  if ('into' in statement && statement.into !== undefined) names.push(statement.into.text);
  if ('rc' in statement && statement.rc !== undefined) names.push(statement.rc.text);
  return names.map((name) => `${name} = ${valueText(context.lookup(name, undefined, undefined))}`).join(', ');
}

function valueText(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  const shown = value.slice(0, MAX_VALUES).join(', ');
  return value.length > MAX_VALUES ? `${shown} … (${value.length} values)` : shown;
}
