import type { AnyStatement } from './definition.js';
import { operationOf } from './table.js';

/** The text of a statement that is an operation. */
export function formatOperation(statement: AnyStatement): string {
  const { kind, word, parts } = operationOf(statement);
  const words = word === false ? [] : [kind];
  words.push(...parts.map((part) => part.format(statement)));
  if (statement.into !== undefined) words.push(`-> ${statement.into.text}`);
  if (statement.rc !== undefined) words.push(`rc ${statement.rc.text}`);
  return words.filter((text) => text !== '').join(' ');
}
