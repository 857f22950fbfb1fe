export {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_SOFT_DIRTY,
  MMU_NOTIFY_UNMAP,
  mmuNotifierEventName,
  type MmuNotifierEvent,
} from './event.js';
export {
  MAX_PAGE,
  MmuIntervalNotifier,
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
  type MmuIntervalNotifierFinish,
  type MmuIntervalNotifierOps,
} from './interval-notifier.js';
export { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from './invalidate.js';
export { I10, I11, I16, I9, mmuNotifierInvariants } from './invariants.js';
export {
  MmuNotifier,
  mmuNotifierGet,
  mmuNotifierPut,
  mmuNotifierRegister,
  mmuNotifierSynchronize,
  mmuNotifierUnregister,
  type MmuNotifierOps,
} from './notifier.js';
export {
  I12,
  I13,
  I14,
  I15,
  I17,
  I18,
  mmuNotifierProtocolInvariants,
  type CallbackStep,
  type ProtocolStep,
} from './protocol-invariants.js';
export {
  MmuNotifierRange,
  NO_OWNER,
  mmuNotifierRangeBlockable,
  mmuNotifierRangeInit,
  mmuNotifierRangeInitOwner,
} from './range.js';
export { mmHasNotifiers, type NotifierMm } from './subscriptions.js';
export { decodeRangeValue } from './tracepoints.js';
