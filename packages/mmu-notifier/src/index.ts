export * from './event.js';
export {
  MAX_PAGE,
  MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  mmuIntervalCheckRetry,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierInsertLocked,
  mmuIntervalNotifierRemove,
  mmuIntervalNotifierTryInsert,
  mmuIntervalNotifierTryRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  mmuIntervalTryReadBegin,
} from './interval-notifier.js';
export * from './interval-tree.js';
export {
  mmuNotifierArchInvalidateSecondaryTlbs,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
} from './invalidate.js';
export * from './invariants.js';
export {
  MmuNotifier,
  type MmuNotifierOps,
  mmuNotifierClearFlushYoung,
  mmuNotifierGet,
  mmuNotifierPut,
  mmuNotifierRegister,
  mmuNotifierRegisterLocked,
  mmuNotifierSynchronize,
  mmuNotifierTestYoung,
  mmuNotifierUnregister,
} from './notifier.js';
export * from './protocol-invariants.js';
export * from './range.js';
export * from './release.js';
export * from './subscriptions.js';
export {
  TP_INTERVAL_INVALIDATE,
  TP_INVALIDATE_RANGE_END,
  TP_INVALIDATE_RANGE_START,
  TP_RELEASE,
  decodeRangeValue,
  encodeRangeValue,
  invalidationOf,
} from './tracepoints.js';
