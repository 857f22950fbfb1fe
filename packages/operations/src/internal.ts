// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { beginningWords, innerWords, rangesOf } from './bind.js';
export { gpuNumbered, type GpuOfDevice } from './context.js';
export { VALUE_WORDS, numberName } from './language/evaluate.js';
export { formatRange, formatSum } from './language/format.js';
export { orderPages } from './language/order.js';
export {
  PRECEDENCE,
  type BinaryOp,
  type Name,
  type Query,
  type Range,
  type Results,
  type Span,
  type Unit,
} from './language/tree.js';
export { regionOf, regionPage, type MemoryKind } from './memory-region.js';
export { MEMORY_KINDS, mapMemory } from './operations/allocation.js';
export type { Madvice } from './operations/mapping.js';
export type { TestDeviceWord } from './operations/test-device-calls.js';
export { returned } from './outcome.js';
export type { Dimension, PartCheck, PartReader, Sign } from './part.js';
export type { AccessWord } from './parts/access.js';
export { onDevice } from './parts/devices.js';
export { pages } from './parts/ranges.js';
export type { Protection } from './parts/words.js';
export { pinPages, unpinPages, type Pin } from './pins.js';
export { exitProcess, forkProcess } from './process.js';
export { line } from './recorded/line.js';
export { outcomeWord, shownOutcome } from './recorded/parse.js';
export { RecordedWords } from './recorded/words.js';
export { SHOWS_ERRNO, type Shown } from './recorded/shown.js';
export { problemOf, valuesReturned } from './run.js';
export { RECORDED_OPERATIONS } from './table.js';
