import { HmmError } from '@hmm/kernel';
import type { AnyOperation, AnyStatement, StatementOf } from './definition.js';
import { ACCESS_OPERATIONS, RECORDED_ACCESSES } from './operations/access.js';
import { ALLOCATION_OPERATIONS } from './operations/allocation.js';
import { COPY_OPERATIONS } from './operations/copies.js';
import { DRIVER_CALLS } from './operations/driver-calls.js';
import { INJECTIONS } from './operations/injection.js';
import { MAPPING_OPERATIONS } from './operations/mapping.js';
import { RECORDED_PAGEMAP } from './operations/pagemap.js';
import { PINNING_OPERATIONS, RECORDED_PINNING } from './operations/pinning.js';
import { PROCESS_OPERATIONS } from './operations/processes.js';
import { TEST_DEVICE_CALLS } from './operations/test-device-calls.js';
import { TIMING_OPERATIONS } from './operations/timing.js';
import { USERFAULTFD_OPERATIONS } from './operations/userfaultfd.js';
import { VERBS } from './operations/verbs.js';

/** The operations that programs and litmus tests can say. */
export const OPERATIONS = [
  ...ACCESS_OPERATIONS,
  ...ALLOCATION_OPERATIONS,
  ...MAPPING_OPERATIONS,
  ...PINNING_OPERATIONS,
  ...USERFAULTFD_OPERATIONS,
  ...DRIVER_CALLS,
  ...COPY_OPERATIONS,
  ...TEST_DEVICE_CALLS,
  ...VERBS,
  ...PROCESS_OPERATIONS,
  ...TIMING_OPERATIONS,
  ...INJECTIONS,
] as const;

/** Operations that only recordings have. */
export const RECORDED_OPERATIONS = [...RECORDED_ACCESSES, ...RECORDED_PINNING, ...RECORDED_PAGEMAP] as const;

/** A statement that is an operation. */
export type OperationStatement = StatementOf<(typeof OPERATIONS)[number]>;

const byKind: ReadonlyMap<string, AnyOperation> = new Map(
  OPERATIONS.map((definition: AnyOperation) => [definition.kind, definition]),
);

/** The operation that a statement asks for; undefined where it is none, such as a loop. */
export function operationOfKind(kind: string): AnyOperation | undefined {
  return byKind.get(kind);
}

/** The definition of a statement that is an operation. @throws HmmError `NO_OPERATION` */
export function operationOf(statement: AnyStatement): AnyOperation {
  const definition = byKind.get(statement.kind);
  if (definition === undefined)
    throw new HmmError('NO_OPERATION', `no operation is called ${statement.kind}`, { kind: statement.kind });
  return definition;
}
