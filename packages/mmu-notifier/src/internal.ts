// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { IntervalTree } from './interval-tree.js';
export { mmuNotifierArchInvalidateSecondaryTlbs } from './invalidate.js';
export {
  mmuNotifierClearFlushYoung,
  mmuNotifierRegisterLocked,
  mmuNotifierTestYoung,
  mmuNotifierToldOfEnds,
} from './notifier.js';
export { viewTree, type TreeView } from './protocol-invariants.js';
export { mmuNotifierRelease, mmuNotifierSubscriptionsDestroy } from './release.js';
export { MmuNotifierSubscriptions } from './subscriptions.js';
export {
  TP_INTERVAL_INVALIDATE,
  TP_INVALIDATE_RANGE_END,
  TP_INVALIDATE_RANGE_START,
  TP_RELEASE,
  invalidationOf,
} from './tracepoints.js';
