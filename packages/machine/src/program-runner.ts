import type { Task } from '@hmm/kernel';
import { evaluate, evaluateNumber, formatExpr, isProblem } from '@hmm/workload';
import type { Expr, Problem, Statement, ThreadDecl, Value } from '@hmm/workload';
import { runAccess, runDuel } from './program-access.js';
import { runAllocation, runMremap, runSyscall } from './program-memory.js';
import { runAdvise, runDeviceCall, runDiscard, runPrefetch, runPressure, runOpen } from './program-device.js';
import type { ProgramContext } from './program-context.js';

/** Runs statements in order in the running agent's name; stops at the first that cannot be done. */
export function* runStatements(
  context: ProgramContext,
  body: readonly Statement[],
): Task<Problem | undefined> {
  const { observer } = context.state;
  for (const statement of body) {
    if (observer !== undefined) observer.begin(statement, context);
    const problem = yield* runStatement(context, statement);
    if (observer !== undefined) observer.end(statement, context, problem);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function* runStatement(context: ProgramContext, s: Statement): Task<Problem | undefined> {
  switch (s.kind) {
    case 'access':
      return yield* runAccess(context, s);
    case 'duel':
      return yield* runDuel(context, s);
    case 'alloc':
      return yield* runAllocation(context, s);
    case 'syscall':
      return yield* runSyscall(context, s);
    case 'mremap':
      return yield* runMremap(context, s);
    case 'prefetch':
      return yield* runPrefetch(context, s);
    case 'advise':
      return yield* runAdvise(context, s);
    case 'discard':
      return yield* runDiscard(context, s);
    case 'device-call':
      return yield* runDeviceCall(context, s);
    case 'pressure':
      return yield* runPressure(context, s);
    case 'open':
      return yield* runOpen(context, s.device);
    case 'close': {
      const device = context.process.devices.get(s.device.text);
      if (device !== undefined) yield* device.close();
      return undefined;
    }
    case 'let':
      return runLet(context, s.name.text, s.value);
    case 'sleep': {
      const ns = evaluateNumber(s.time, context);
      if (typeof ns === 'object') return ns;
      yield* context.state.machine.kernel.sched.delay(ns);
      return undefined;
    }
    case 'assert':
      return runAssert(context, s.condition);
    default:
      return yield* runCompound(context, s);
  }
}

type Compound = Extract<
  Statement,
  { kind: 'process' | 'fork' | 'wait' | 'in' | 'block' | 'repeat' | 'for' | 'together' }
>;

function* runCompound(context: ProgramContext, s: Compound): Task<Problem | undefined> {
  const { machine } = context.state;
  switch (s.kind) {
    case 'process':
      machine.spawnProcess(s.name.text);
      return undefined;
    case 'fork': {
      const child = yield* machine.fork(context.process, s.child.text);
      return typeof child === 'number' ? { span: s.span, message: `fork failed: ${child}` } : undefined;
    }
    case 'wait': {
      const child = machine.processes.get(s.child.text);
      if (child !== undefined) yield* machine.exit(child);
      return undefined;
    }
    case 'in': {
      const process = machine.processes.get(s.process.text);
      if (process === undefined)
        return { span: s.span, message: `${s.process.text} has not been started yet` };
      return yield* runStatements(context.within(process, context.agent), s.body);
    }
    case 'block':
      return yield* runStatements(context, s.body);
    case 'repeat': {
      const count = evaluateNumber(s.count, context);
      if (typeof count === 'object') return count;
      return yield* loop(context, undefined, 0, count, s.body);
    }
    case 'for': {
      const from = evaluateNumber(s.from, context);
      if (typeof from === 'object') return from;
      const to = evaluateNumber(s.to, context);
      if (typeof to === 'object') return to;
      return yield* loop(context, s.name.text, from, to, s.body);
    }
    case 'together':
      return yield* runTogether(context, s.threads);
  }
}

function* loop(
  context: ProgramContext,
  name: string | undefined,
  from: number,
  to: number,
  body: readonly Statement[],
): Task<Problem | undefined> {
  for (let i = from; i < to; i++) {
    if (name !== undefined) context.define(name, i);
    const problem = yield* runStatements(context, body);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Runs threads at once; ends when all have, with the first problem. */
function* runTogether(context: ProgramContext, threads: readonly ThreadDecl[]): Task<Problem | undefined> {
  const { kernel } = context.state.machine;
  const join: Join = { channel: kernel.allocIds(1), left: threads.length, problem: undefined };
  for (const thread of threads) kernel.sched.spawn(thread.name.text, joined(context, thread, join));
  while (join.left > 0) {
    kernel.sched.access(join.channel, false);
    yield* kernel.sched.block(join.channel);
  }
  return join.problem;
}

interface Join {
  readonly channel: number;
  left: number;
  problem: Problem | undefined;
}

function* joined(context: ProgramContext, thread: ThreadDecl, join: Join): Task {
  const { sched } = context.state.machine.kernel;
  const problem = yield* runThread(context, thread);
  join.problem ??= problem;
  join.left--;
  sched.access(join.channel, true);
  sched.wake(join.channel);
}

/** Runs one thread of a `together`, or one column of a litmus test, in its process. */
export function* runThread(context: ProgramContext, thread: ThreadDecl): Task<Problem | undefined> {
  const name = thread.process?.text;
  const process = name === undefined ? context.process : context.state.machine.processes.get(name);
  if (process === undefined) return { span: thread.span, message: `there is no process ${name ?? ''} yet` };
  return yield* runStatements(context.within(process, thread.name.text), thread.body);
}

function runLet(context: ProgramContext, name: string, expr: Expr): Problem | undefined {
  const value = context.state.parameters.get(name) ?? evaluateNumber(expr, context);
  if (typeof value === 'object') return value;
  context.define(name, value);
  return undefined;
}

function runAssert(context: ProgramContext, condition: Expr): Problem | undefined {
  const value = evaluate(condition, context);
  if (isProblem(value)) return value;
  if (value === 0) context.state.failures.push({ span: condition.span, seen: seenIn(condition, context) });
  return undefined;
}

/** The values of the names in a condition: `x = 4, where(a[0]) = cpu`. */
export function seenIn(expr: Expr, context: ProgramContext): string {
  const texts = new Set<string>();
  const visit = (at: Expr): void => {
    if (at.kind === 'binary') [at.left, at.right].forEach(visit);
    else if (at.kind === 'unary') visit(at.operand);
    else if (at.kind === 'ref' || at.kind === 'query') {
      const value = evaluate(at, context);
      if (!isProblem(value) && String(value) !== at.kind) texts.add(`${formatExpr(at)} = ${textOf(value)}`);
    }
  };
  visit(expr);
  return [...texts].join(', ');
}

function textOf(value: Value): string {
  return typeof value === 'object' ? `[${value.join(', ')}]` : String(value);
}
