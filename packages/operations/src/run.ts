import { errnoName, type Task } from '@hmm/kernel';
import type { OperationContext } from './context.js';
import type { AnyStatement, BoundOperation } from './definition.js';
import type { Problem } from './language/tree.js';
import type { Outcome } from './outcome.js';

/** Does a bound operation in the running agent's name. */
export function runBound(context: OperationContext, { definition, args }: BoundOperation): Task<Outcome> {
  return definition.run(context, args);
}

/** What `-> NAME` gets of an outcome. */
export function valuesReturned({ definition }: BoundOperation, outcome: Outcome): readonly number[] {
  return definition.returns === 'values' ? outcome.values : [outcome.rc];
}

/**
 * Why a program cannot go on after this outcome of a statement: it could not be done at all, or it failed and the text does
 * not keep how it ended.
 */
export function problemOf(
  statement: AnyStatement,
  { definition }: BoundOperation,
  { rc, why, problem }: Outcome,
): Problem | undefined {
  const { span } = statement;
  if (problem !== undefined) return { span, message: problem };
  if (rc >= 0 || statement.rc !== undefined) return undefined;
  if (definition.returns === 'errno' && statement.into !== undefined) return undefined;
  return { span, message: why ?? `this failed with -${errnoName(rc)} (write 'rc e' to go on)` };
}
