export { findNondeterminism } from './engine/determinism.js';
export { DEFAULT_MAX_STEPS, Explorer, type ExplorerState, type FoundViolation } from './engine/explorer.js';
export { type Findings, mergeFindings, type SavedSearch } from './engine/findings.js';
export { FunctionNames } from './engine/function-names.js';
export { findHiddenDependence, type HiddenDependence } from './engine/hidden-dependence.js';
export { itfTrace, type ItfState, type ItfTrace } from './engine/itf.js';
export { minimise } from './engine/minimise.js';
export type { Model } from './engine/model.js';
export { contextSwitches, decodeSchedule, encodeSchedule, type Schedule } from './engine/schedule.js';
export {
  STRATEGIES,
  Search,
  search,
  type SearchOptions,
  type SearchResult,
  type StrategyName,
} from './engine/search.js';
export { mergeExplorations, type Subtree, subtreeName } from './engine/subtree.js';
export { formatStory, tell, type Story, type StoryStep } from './engine/story.js';
export { compileLitmus, type CompileResult } from './litmus/compile.js';
export { litmusModel } from './litmus/litmus-model.js';
export type { LitmusProgram, LitmusThread } from './litmus/program.js';
export {
  LitmusSearch,
  runLitmus,
  type LitmusCounterexample,
  type LitmusReport,
  type LitmusResult,
  type LitmusVerdict,
} from './litmus/run-litmus.js';
export { NotifierRetry, type RetryMistake, type RetryOp } from './models/notifier-retry.js';
export { parseRecordedTests, type RecordedOutcome, type RecordedTest } from './observed/recorded-test.js';
export {
  ObservedSearch,
  runObserved,
  type ObservedReport,
  type ObservedResult,
} from './observed/run-observed.js';
export { Dpor } from './strategies/dpor.js';
export type { MirrorDevicesFactory } from './world/mirror-devices.js';
