import type { Task } from '@hmm/kernel';
import { observedTask } from '@hmm/kernel/internal';
import type { IbDevice } from './umem-odp.js';

/** The kernel has called back: the step uses the driver's state. Costs one test where nothing is explored. */
export function calledBack({ exploration, kernel }: IbDevice): void {
  if (exploration !== undefined) kernel.sched.access(exploration.object, true);
}

/** `task`, which the kernel has called, whose every step uses the driver's state. */
export function calledBackTask<T>({ exploration, kernel }: IbDevice, task: Task<T>): Task<T> {
  return exploration === undefined ? task : observedTask(kernel.sched, exploration.object, task);
}
