/**
 * Replays recordings of the kernel's test device and says where the model shows something else.
 * @packageDocumentation
 */
export * from './conform.js';
export {
  parseCorpusLine,
  type Observation,
  type OperationLine,
  type RecordedInvalidation,
  type ScriptHead,
} from './corpus.js';
