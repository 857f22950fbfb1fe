// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { hweight32 } from './bitops.js';
export { CORE_BEHAVIOURS } from './core-behaviours.js';
export {
  EVENT_BATCH,
  EVENT_CANCELLED,
  EVENT_CPU_FAULT,
  EVENT_DEVICE_FAULT,
  EVENT_INVALIDATED,
  EVENT_INVALIDATE_END,
  EVENT_INVALIDATE_START,
  EVENT_LANES,
  EVENT_MAPPED,
  EVENT_MAPPED_REMOTE,
  EVENT_MEANINGS,
  EVENT_OTHER,
  EVENT_REPLAY,
  EVENT_RETRY,
  EVENT_THRASHING,
  EVENT_THROTTLED,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
  type EventMeaning,
} from './event-meaning.js';
export { HASH_SEED, hashWord, hashWords } from './hash.js';
export { KERNEL_SETTINGS, kernelOptions } from './kernel-settings.js';
export { observedTask } from './observed-task.js';
export {
  ENTRY_TABLE,
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_PUD,
  NO_TABLE,
  PageTablePool,
  TABLE_LANES,
  entryPages,
  tableIndex,
  type PageTablePoolState,
} from './page-table.js';
export { pagesOf, pteIndex } from './page.js';
export { SavedState } from './saved-state.js';
export type { AccessObserver, RestObserver } from './sched.js';
export { StateHash } from './state-hash.js';
export { declareState, ownState, type SavedPart, type StateDeclaration } from './state.js';
export { meaningOf, tracepointKind, type TracepointDeclaration } from './tracepoint.js';
