import type { Task } from '@hmm/kernel';
import {
  bindStatement,
  evaluate,
  evaluateNumber,
  type Expr,
  formatExpr,
  isProblem,
  type OperationStatement,
  type Problem,
  runBound,
  type Value,
} from '@hmm/operations';
import { problemOf, valuesReturned } from '@hmm/operations/internal';
import { type ControlStatement, type Statement, type ThreadDecl } from '@hmm/workload';
import { isControl } from '@hmm/workload/internal';
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

function runStatement(context: ProgramContext, s: Statement): Task<Problem | undefined> {
  return isControl(s) ? runControl(context, s) : runOperation(context, s);
}

/** Does an operation, and keeps what it returned where the text asks for it. */
function* runOperation(context: ProgramContext, s: OperationStatement): Task<Problem | undefined> {
  const bound = bindStatement(s, context);
  if ('message' in bound) return bound;
  const outcome = yield* runBound(context, bound);
  if (outcome.problem === undefined && 'into' in s) {
    if (s.into !== undefined) context.keep(s.into.text, valuesReturned(bound, outcome));
    if (s.rc !== undefined) context.keep(s.rc.text, [outcome.rc]);
  }
  return problemOf(s, bound, outcome);
}

function* runControl(context: ProgramContext, s: ControlStatement): Task<Problem | undefined> {
  switch (s.kind) {
    case 'let':
      return runLet(context, s.name.text, s.value);
    case 'assert':
      return runAssert(context, s.condition);
    case 'in': {
      const process = context.processOf(s.process.text);
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
