/**
 * Recorded scripts replayed on a model: the lines of a corpus, what processes do in them, and the result.
 * @packageDocumentation
 */
export { type CorpusOperation, corpusError, inCorpus, recordedOperation, type ScriptHead } from './corpus.js';
export {
  addConformResult,
  type ConformResult,
  emptyConformResult,
  type FamilyResult,
  type Mismatch,
} from './result.js';
export { type ScriptDevices, ScriptProcess } from './script-process.js';
export { ScriptProcesses, type ScriptProcessEvents } from './script-processes.js';
export { replayScripts, ScriptReplay, type ScriptSubject } from './script-replay.js';
