import type { Sched } from './sched.js';
import { SP_BLOCK, SP_DELAY, type Task } from './task.js';

/**
 * `task`, whose every step counts as one that writes to the state that the observer knows as `object`: for code that tells of its
 * accesses in no other way. A step that only finds a lock taken has touched nothing, and the observer is not to see it. A delay of
 * no time is no scheduling point.
 */
export function* observedTask<T>(sched: Sched, object: number, task: Task<T>): Task<T> {
  for (;;) {
    const next = task.next();
    if (next.done === true || next.value !== SP_BLOCK || !sched.current.lockWait) sched.access(object, true);
    if (next.done === true) return next.value;
    if (next.value !== SP_DELAY || sched.current.delay > 0) yield next.value;
  }
}
