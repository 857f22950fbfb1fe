/**
 * Recorded scripts replayed on a model: the lines of a corpus, what processes do in them, and the result.
 * @packageDocumentation
 */
export { type CorpusOperation, corpusError, type ScriptHead } from './corpus.js';
export { MEMORY_GRAMMAR, memoryOperation, type MemoryOperation } from './memory-operation.js';
export { pageOf, type RegionRange, regionOf } from './region.js';
export {
  addConformResult,
  type ConformResult,
  emptyConformResult,
  type FamilyResult,
  type Mismatch,
} from './result.js';
export { type MemoryObservation, ScriptMemory } from './script-memory.js';
export { ScriptProcesses } from './script-processes.js';
export { replayScripts, ScriptReplay, type ScriptSubject } from './script-replay.js';
export { isCount, type OperationWords, parseWords, type WordGrammar } from './words.js';
