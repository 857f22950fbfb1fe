import type { AnyOperation, AnyStatement, BoundOperation } from './definition.js';
import type { Problem } from './language/tree.js';
import { type BindScope, isUnbound } from './part.js';
import { operationOf } from './table.js';

/** The operation that a statement asks for, with what its names and numbers mean now; or why it cannot be. */
export function bindStatement(statement: AnyStatement, scope: BindScope): BoundOperation | Problem {
  const definition = operationOf(statement);
  const args: object = {};
  for (const part of definition.parts) {
    const bound = part.bind(statement, scope, statement.span);
    if (isUnbound(bound)) return bound;
    Object.assign(args, bound);
  }
  const message = definition.refuse?.(args);
  return message === undefined ? { definition, args } : { span: statement.span, message };
}

/** Each range of pages that an operation speaks of. */
export function rangesOf({ args }: BoundOperation): { readonly vpn: number; readonly pages: number }[] {
  return Object.values(args).filter(isRange);
}

function isRange(value: unknown): value is { readonly vpn: number; readonly pages: number } {
  return typeof value === 'object' && value !== null && 'vpn' in value && 'pages' in value;
}

/** The words that begin statements of `operations`. */
export function beginningWords(operations: readonly AnyOperation[]): string[] {
  return operations.flatMap(({ kind, word, parts }) =>
    word === false ? parts.flatMap(({ begins }) => begins) : [kind],
  );
}

/** The words that mean something within statements of `operations`, and are names elsewhere; each once. */
export function innerWords(operations: readonly AnyOperation[]): string[] {
  const begin = new Set(beginningWords(operations));
  const words = operations.flatMap(({ parts }) => parts.flatMap((part) => part.words));
  return [...new Set(words)].filter((word) => !begin.has(word));
}
