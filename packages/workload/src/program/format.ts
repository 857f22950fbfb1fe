import { formatExpr, formatOperation } from '@hmm/operations';
import { formatSum } from '@hmm/operations/internal';
import type { ControlStatement, ProgramFile, Statement, ThreadDecl } from './ast.js';
import { isControl } from './control.js';
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
  return isControl(statement) ? control(statement, indent) : formatOperation(statement);
}

function control(statement: ControlStatement, indent: string): string {
  switch (statement.kind) {
    case 'let':
      return `let ${statement.name.text} = ${formatSum(statement.value)}`;
    case 'assert':
      return `assert ${formatExpr(statement.condition)}`;
    case 'in':
      return `in ${statement.process.text} ${block(statement.body, indent)}`;
    case 'block':
      return block(statement.body, indent);
    case 'repeat':
      return `repeat ${formatSum(statement.count)} ${block(statement.body, indent)}`;
    case 'for': {
      const span = `${formatSum(statement.from)} .. ${formatSum(statement.to)}`;
      return `for ${statement.name.text} = ${span} ${block(statement.body, indent)}`;
    }
    case 'together': {
      const deeper = `${indent}  `;
      const thread = (t: ThreadDecl): string => `${deeper}thread ${head(t)} ${block(t.body, deeper)}\n`;
      return `together {\n${statement.threads.map(thread).join('')}${indent}}`;
    }
  }
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

const quote = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;
const plain = (text: string): string => (isPlainWord(text) ? text : quote(text));

function settingValue(text: string): string {
  return /^\d+(\.\d+)?(KiB|MiB|GiB|TiB|pages|ns|us|ms|B|s)?$/.test(text) ? text : plain(text);
}
