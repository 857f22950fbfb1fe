export {
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINTR,
  EINVAL,
  EIO,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOSYS,
  ENOTTY,
  ENXIO,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  ESRCH,
  ETIMEDOUT,
  errnoName,
  errnoValue,
} from './errno.js';
export { HmmError, assertHmm, type HmmErrorData } from './error.js';
export { Kernel, type FaultInjector, type KernelOptions } from './kernel.js';
export { Mutex, RwSemaphore, SpinLock } from './lock.js';
export { Lockdep } from './lockdep.js';
export {
  HPAGE_PMD_NR,
  HPAGE_PMD_ORDER,
  PAGE_SHIFT,
  PAGE_SIZE,
  alignDown,
  alignUp,
  vpnToHex,
} from './page.js';
export { Prng } from './prng.js';
export {
  DEFAULT_RELEASE,
  NEWEST_EXACT_RELEASE,
  RELEASES,
  behaviour,
  behavioursOf,
  defect,
  isRelease,
  type Behaviour,
  type BehaviourTable,
  type Behaviours,
  type Release,
} from './releases.js';
export { Sched, type AbandonedLock } from './sched.js';
export {
  AGENT_BLOCKED,
  AGENT_DONE,
  AGENT_READY,
  Agent,
  SP_BLOCK,
  SP_DELAY,
  SP_LOCK,
  SP_PREEMPT,
  type MaybeTask,
  type SchedPoint,
  type Task,
} from './task.js';
export { Trace, type TraceEvent } from './trace.js';
export { defineTracepoint, tracepoint, type TracepointInfo } from './tracepoint.js';
