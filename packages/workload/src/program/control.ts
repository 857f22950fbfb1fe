import { operationOfKind } from '@hmm/operations';
import type { ControlStatement, Statement } from './ast.js';

/** Whether a statement decides what runs, and is no operation. */
export function isControl(statement: Statement): statement is ControlStatement {
  return operationOfKind(statement.kind) === undefined;
}
