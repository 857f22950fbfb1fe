import { wcStatusValue } from '@hmm/device/internal';
import { errnoValue, PAGE_SIZE } from '@hmm/kernel';
import type { BinaryOp, Expr, Name, Problem, Query, Span, Unit } from './tree.js';

/** What an expression means: a number (bytes, ns, a count, a truth: 1 or 0), values of pages, or a word (`cpu`, `rw`). */
export type Value = number | readonly (number | undefined)[] | string;

/** Names in force while an expression is evaluated; undefined for one that is not known. */
export interface Scope {
  /** A parameter, loop variable, result (of `agent`), or byte of memory. */
  lookup(name: string, agent: string | undefined, index: number | undefined): Value | undefined;
  /** The answer of a query about a page or a counter. */
  query(query: Query, name: string, index: number | undefined): Value | undefined;
}

/** Whether an evaluation failed. */
export function isProblem(value: Value | Problem): value is Problem {
  return typeof value === 'object' && 'message' in value;
}

const FACTOR: Readonly<Record<Unit, number>> = {
  '': 1,
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  pages: PAGE_SIZE,
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
};

/** Words that an expression may use as values: places, protections. */
export const VALUE_WORDS: readonly string[] = ['cpu', 'gpu', 'both', 'none', 'r', 'rw'];

/** Signals that a bad access raises. */
const SIGNALS: ReadonlyMap<string, number> = new Map([
  ['SIGBUS', 7],
  ['SIGSEGV', 11],
]);

/** The number that every program knows by `name` (`EFAULT`, `SIGBUS`, `IBV_WC_REM_ACCESS_ERR`), or undefined. */
export function numberName(name: string): number | undefined {
  return SIGNALS.get(name) ?? errnoValue(name) ?? wcStatusValue(name);
}

/** The value of `expr` in `scope`: bytes for sizes, ns for times, 1 or 0 for a condition. */
export function evaluate(expr: Expr, scope: Scope): Value | Problem {
  switch (expr.kind) {
    case 'number':
      return expr.value * FACTOR[expr.unit];
    case 'ref':
      return reference(expr.name, expr.agent, expr.index, expr.span, scope);
    case 'query':
      return indexed(
        expr.index,
        expr.span,
        scope,
        (index) => scope.query(expr.query, expr.name.text, index),
        expr.name,
      );
    case 'unary': {
      const operand = evaluate(expr.operand, scope);
      if (isProblem(operand)) return operand;
      if (typeof operand !== 'number') return { span: expr.span, message: `'${expr.op}' needs a number` };
      return expr.op === '-' ? -operand : truth(operand === 0);
    }
    case 'list':
      return listOf(expr.items, scope);
    case 'binary':
      return binary(expr.op, expr.left, expr.right, expr.span, scope);
  }
}

/** As {@link evaluate}, where only a number will do. */
export function evaluateNumber(expr: Expr, scope: Scope): number | Problem {
  const value = evaluate(expr, scope);
  if (isProblem(value)) return value;
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' && value.length === 1) return value[0] ?? 0;
  return { span: expr.span, message: 'a number is needed here' };
}

function reference(
  name: Name,
  agent: Name | undefined,
  index: Expr | undefined,
  span: Span,
  scope: Scope,
): Value | Problem {
  const text = name.text;
  const look = (at: number | undefined): Value | undefined => scope.lookup(text, agent?.text, at);
  const value = indexed(index, span, scope, look, name);
  if (!isProblem(value) || agent !== undefined || index !== undefined) return value;
  return numberName(text) ?? (VALUE_WORDS.includes(text) ? text : value);
}

function indexed(
  index: Expr | undefined,
  span: Span,
  scope: Scope,
  get: (index: number | undefined) => Value | undefined,
  name: Name,
): Value | Problem {
  const at = index === undefined ? undefined : evaluateNumber(index, scope);
  if (typeof at === 'object') return at;
  const value = get(at);
  if (value !== undefined) return value;
  const where = at === undefined ? '' : ` at ${at}`;
  return { span, message: `${name.text} has no value${where}` };
}

function listOf(items: readonly (Expr | undefined)[], scope: Scope): Value | Problem {
  const values: (number | undefined)[] = [];
  for (const item of items) {
    const value = item === undefined ? undefined : evaluateNumber(item, scope);
    if (typeof value === 'object') return value;
    values.push(value);
  }
  return values;
}

function binary(op: BinaryOp, left: Expr, right: Expr, span: Span, scope: Scope): Value | Problem {
  const a = evaluate(left, scope);
  if (isProblem(a)) return a;
  // As in C: the right side of a decided connective is not looked at.
  if (op === '/\\' && a === 0) return 0;
  if (op === '\\/' && a !== 0) return 1;
  const b = evaluate(right, scope);
  if (isProblem(b)) return b;
  if (op === '==') return truth(same(a, b));
  if (op === '!=') return truth(!same(a, b));
  const x = scalar(a);
  const y = scalar(b);
  if (x === undefined || y === undefined) return { span, message: `'${op}' needs numbers on both sides` };
  if ((op === '/' || op === '%') && y === 0) return { span, message: 'division by zero' };
  return arithmetic(op, x, y);
}

function arithmetic(op: Exclude<BinaryOp, '==' | '!='>, x: number, y: number): number {
  switch (op) {
    case '\\/':
      return truth(x !== 0 || y !== 0);
    case '/\\':
      return truth(x !== 0 && y !== 0);
    case '<':
      return truth(x < y);
    case '<=':
      return truth(x <= y);
    case '>':
      return truth(x > y);
    case '>=':
      return truth(x >= y);
    case '+':
      return x + y;
    case '-':
      return x - y;
    case '*':
      return x * y;
    case '/':
      return Math.floor(x / y);
    case '%':
      return x % y;
  }
}

const truth = (holds: boolean): number => (holds ? 1 : 0);

function scalar(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value !== 'string' && value.length === 1 ? value[0] : undefined;
}

/** Equality: a single value equals a list of that one value, and `_` equals anything. */
function same(a: Value, b: Value): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  const xs = typeof a === 'number' ? [a] : a;
  const ys = typeof b === 'number' ? [b] : b;
  return (
    xs.length === ys.length && xs.every((x, at) => x === undefined || ys[at] === undefined || x === ys[at])
  );
}
