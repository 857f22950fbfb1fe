import {
  PRECEDENCE,
  type AccessStatement,
  type Expr,
  type ProgramFile,
  type Range,
  type Results,
} from './ast.js';
import type { Statement, ThreadDecl } from './ast.js';
import { isPlainWord } from './tokens.js';

/**
 * The text of a program in the project's one style; {@link parseProgram} of it gives the same tree but for places.
 * Comments are not part of the tree.
 */
export function formatProgram(program: ProgramFile): string {
  const head = [`${program.kind} ${plain(program.name)}`];
  if (program.doc !== '') head.push(quote(program.doc));
  for (const { key, value } of program.settings) head.push(`set ${key.text} = ${settingValue(value)}`);
  for (const { name, client } of program.devices) {
    head.push(`device ${name.text}${client === undefined ? '' : ` ${plain(client)}`}`);
  }
  const parts = [head.join('\n'), formatStatements(program.body)];
  if (program.threads.length > 0) parts.push(table(program.threads));
  if (program.final.length > 0) parts.push(`final ${block(program.final, '')}`);
  const { condition } = program;
  if (condition !== undefined) parts.push(`${condition.quantifier} (${formatExpr(condition.condition)})`);
  return parts.filter((part) => part !== '').join('\n\n') + '\n';
}

/** Statements, one a line, after `indent`. */
export function formatStatements(statements: readonly Statement[], indent = ''): string {
  return statements.map((statement) => indent + formatStatement(statement, indent)).join('\n');
}

/** One statement; the lines of its blocks after the first come after `indent`. */
export function formatStatement(statement: Statement, indent = ''): string {
  switch (statement.kind) {
    case 'access':
      return access(statement);
    case 'let':
      return `let ${statement.name.text} = ${formatExpr(statement.value, 5)}`;
    case 'process':
      return `process ${statement.name.text}`;
    case 'alloc': {
      const protection = statement.protection === 'rw' ? '' : ` ${statement.protection}`;
      return `${statement.memory} ${statement.name.text} ${formatExpr(statement.size, 5)}${protection}`;
    }
    case 'open':
    case 'close':
      return `${statement.kind} ${statement.device.text}`;
    case 'pressure':
      return `pressure ${formatExpr(statement.size, 5)}${on(statement)}`;
    case 'fork':
    case 'wait':
      return `${statement.kind} ${statement.child.text}`;
    case 'sleep':
      return `sleep ${formatExpr(statement.time, 5)}`;
    case 'duel':
      return `duel ${formatRange(statement.range)} rounds ${tight(statement.rounds)}${on(statement)}`;
    case 'assert':
      return `assert ${formatExpr(statement.condition)}`;
    case 'syscall':
    case 'mremap':
    case 'prefetch':
    case 'advise':
    case 'discard':
    case 'device-call':
      return call(statement) + results(statement);
    default:
      return compound(statement, indent);
  }
}

type Call = Extract<
  Statement,
  { kind: 'syscall' | 'mremap' | 'prefetch' | 'advise' | 'discard' | 'device-call' }
>;

function call(statement: Call): string {
  const range = formatRange(statement.range);
  switch (statement.kind) {
    case 'syscall':
      return `${statement.call} ${range}${statement.word === undefined ? '' : ` ${statement.word}`}`;
    case 'mremap':
      return `mremap ${range} to ${formatRange(statement.to)}`;
    case 'prefetch':
      return `prefetch ${range} to ${statement.place}${on(statement)}`;
    case 'advise':
      return `advise ${range} ${statement.advice} ${statement.place}${on(statement)}`;
    case 'discard': {
      const unmap = statement.unmap ? ' unmap' : '';
      const place = statement.place === undefined ? '' : ` to ${statement.place}`;
      return `discard ${range}${unmap}${place}${on(statement)}`;
    }
    case 'device-call': {
      const value = statement.value === undefined ? '' : ` = ${formatExpr(statement.value, 5)}`;
      return `${statement.call} ${range}${value}${on(statement)}`;
    }
  }
}

type Compound = Extract<Statement, { kind: 'in' | 'block' | 'repeat' | 'for' | 'together' }>;

function compound(statement: Compound, indent: string): string {
  switch (statement.kind) {
    case 'in':
      return `in ${statement.process.text} ${block(statement.body, indent)}`;
    case 'block':
      return block(statement.body, indent);
    case 'repeat':
      return `repeat ${formatExpr(statement.count, 5)} ${block(statement.body, indent)}`;
    case 'for': {
      const span = `${formatExpr(statement.from, 5)} .. ${formatExpr(statement.to, 5)}`;
      return `for ${statement.name.text} = ${span} ${block(statement.body, indent)}`;
    }
    case 'together': {
      const deeper = `${indent}  `;
      const thread = (t: ThreadDecl): string => `${deeper}thread ${head(t)} ${block(t.body, deeper)}\n`;
      return `together {\n${statement.threads.map(thread).join('')}${indent}}`;
    }
  }
}

function access(s: AccessStatement): string {
  const verb =
    s.agent === 'cpu' ? `cpu ${s.access}` : s.shape === 'stream' ? 'gpu stream' : `gpu ${s.access}`;
  const { kind, argument } = s.order;
  const order = kind === 'seq' ? '' : ` ${kind}${argument === undefined ? '' : `:${tight(argument)}`}`;
  const shape = s.shape === 'parallel' ? ' parallel' : '';
  const sign = s.access === 'atomic' ? '+=' : '=';
  const value = s.value === undefined ? '' : ` ${sign} ${formatExpr(s.value, 5)}`;
  const step = s.step === undefined ? '' : ` step ${formatExpr(s.step, 5)}`;
  const byte = s.byte === undefined ? '' : ` byte ${tight(s.byte)}`;
  const width = s.width === undefined ? '' : ` width ${tight(s.width)}`;
  return `${verb} ${formatRange(s.range)}${order}${shape}${value}${step}${byte}${width}${on(s)}${results(s)}`;
}

function on(statement: { readonly device: { readonly text: string } | undefined }): string {
  return statement.device === undefined ? '' : ` on ${statement.device.text}`;
}

function results({ into, rc }: Results): string {
  return (into === undefined ? '' : ` -> ${into.text}`) + (rc === undefined ? '' : ` rc ${rc.text}`);
}

function block(body: readonly Statement[], indent: string): string {
  return body.length === 0 ? '{ }' : `{\n${formatStatements(body, `${indent}  `)}\n${indent}}`;
}

function head({ name, process }: ThreadDecl): string {
  return process === undefined ? name.text : `${name.text} in ${process.text}`;
}

/** Columns padded to the same width, as herd7's readers know them. */
function table(threads: readonly ThreadDecl[]): string {
  const rows = Math.max(...threads.map(({ body }) => body.length));
  const cells = threads.map((thread) => {
    const steps = Array.from({ length: rows }, (_, row) => thread.body[row]);
    return [head(thread), ...steps.map((step) => (step === undefined ? '' : formatStatement(step, '   ')))];
  });
  const widths = cells.map((column) =>
    Math.max(...column.map((cell) => (cell.includes('\n') ? 0 : cell.length))),
  );
  const line = (row: number): string =>
    ` ${cells.map((column, at) => (column[row] ?? '').padEnd(widths[at] ?? 0)).join(' | ')} ;`;
  return Array.from({ length: rows + 1 }, (_, row) => line(row)).join('\n');
}

/** `a`, `a[3]`, `a[2 .. 6]`. */
export function formatRange({ region, from, to }: Range): string {
  if (from === undefined) return region.text;
  const end = to === undefined ? '' : `..${formatExpr(to, 5)}`;
  return `${region.text}[${formatExpr(from, 5)}${end}]`;
}

/** An expression, in parentheses if it binds looser than `level`. */
export function formatExpr(expr: Expr, level = 0): string {
  switch (expr.kind) {
    case 'number':
      return `${expr.value}${expr.unit}`;
    case 'ref': {
      const agent = expr.agent === undefined ? '' : `${expr.agent.text}:`;
      return `${agent}${expr.name.text}${index(expr.index)}`;
    }
    case 'query':
      return `${expr.query}(${expr.name.text}${index(expr.index)})`;
    case 'list':
      return `[${expr.items.map((item) => (item === undefined ? '_' : formatExpr(item, 5))).join(', ')}]`;
    case 'unary':
      return `${expr.op}${formatExpr(expr.operand, 7)}`;
    case 'binary': {
      const own = PRECEDENCE[expr.op];
      // Comparisons do not chain: both their sides are sums.
      const left = formatExpr(expr.left, own === 4 ? 5 : own);
      const text = `${left} ${expr.op} ${formatExpr(expr.right, own + 1)}`;
      return own < level ? `(${text})` : text;
    }
  }
}

function index(expr: Expr | undefined): string {
  return expr === undefined ? '' : `[${formatExpr(expr, 5)}]`;
}

/** Where only a number, a name or something in parentheses fits. */
function tight(expr: Expr): string {
  return expr.kind === 'unary' ? `(${formatExpr(expr)})` : formatExpr(expr, 7);
}

const quote = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;
const plain = (text: string): string => (isPlainWord(text) ? text : quote(text));

function settingValue(text: string): string {
  return /^\d+(\.\d+)?(KiB|MiB|GiB|TiB|pages|ns|us|ms|B|s)?$/.test(text) ? text : plain(text);
}
