import type { Kernel, Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { mmput, type MmStruct } from '@hmm/mm';
import { mmputFast } from '@hmm/mm/internal';

/**
 * Address spaces whose last user must not tear them down where it is, since it may hold what that needs; a worker of the kernel
 * does. @kernel kernel/fork.c mmput_async (all)
 */
export class MmputQueue {
  /** What of it is state. */
  static readonly state = declareState({
    sched: { outside: 'the one scheduler' },
    channel: 'constant',
    last: 'constant',
  });

  private readonly sched: Kernel['sched'];
  private readonly channel: number;
  private readonly last: MmStruct[] = [];

  constructor(kernel: Kernel) {
    this.sched = kernel.sched;
    this.channel = kernel.allocIds(1);
  }

  /** Drops a user of `mm`, without sleeping. */
  put(mm: MmStruct): void {
    if (mmputFast(mm)) return;
    this.last.push(mm);
    this.sched.access(this.channel, true);
    this.sched.wake(this.channel);
  }

  /** The worker, as an agent of its own. */
  *worker(): Task {
    for (;;) {
      this.sched.access(this.channel, this.last.length > 0);
      const mm = this.last.shift();
      if (mm === undefined) yield this.sched.waitFor(this.channel);
      else yield* mmput(mm);
    }
  }
}
