export * from './language/tree.js';
export * from './language/evaluate.js';
export * from './language/format.js';
export * from './language/order.js';
export {
  type AnyOperation,
  type AnyPart,
  type AnyStatement,
  type Args,
  type BoundOperation,
  operation,
  type OperationDefinition,
  type StatementOf,
} from './definition.js';
export * from './bind.js';
export * from './context.js';
export * from './format-statement.js';
export * from './memory-region.js';
export * from './outcome.js';
export {
  type BindScope,
  type Declarations,
  type Dimension,
  part,
  type Part,
  type PartCheck,
  type PartReader,
  type RecordedPart,
  type Sign,
} from './part.js';
export { pages } from './parts/ranges.js';
export { onDevice } from './parts/devices.js';
export * from './pins.js';
export * from './process.js';
export * from './recorded/line.js';
export * from './recorded/parse.js';
export * from './recorded/shown.js';
export * from './run.js';
export * from './table.js';
export { mapMemory, MEMORY_KINDS } from './operations/allocation.js';
export type { AccessVerb, AccessWord } from './parts/access.js';
export type { Protection } from './parts/words.js';
export type { Madvice } from './operations/mapping.js';
export type { TestDeviceWord } from './operations/test-device-calls.js';
