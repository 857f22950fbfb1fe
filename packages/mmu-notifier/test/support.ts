import { Kernel, type KernelOptions, Mutex, RwSemaphore, type MaybeTask, type Task } from '@hmm/kernel';
import {
  type CallbackStep,
  type MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
  type NotifierMm,
  mmuIntervalNotifierInsert,
  mmuIntervalSetSeq,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeBlockable,
} from '@hmm/mmu-notifier';
import { type MmuNotifierSubscriptions } from '@hmm/mmu-notifier/internal';

/** An address space with nothing in it but a lock. */
export class BareMm implements NotifierMm {
  readonly kernel: Kernel;
  readonly id: number;
  readonly mmapLock: RwSemaphore;
  notifierSubscriptions: MmuNotifierSubscriptions | undefined = undefined;
  users = 1;
  readonly usersObject: number;
  count = 1;

  constructor(id = 1, options: KernelOptions = {}) {
    this.id = id;
    this.kernel = new Kernel(options);
    this.mmapLock = new RwSemaphore(this.kernel.sched, this.kernel.allocIds(1), 'mmap_lock');
    this.usersObject = this.kernel.allocIds(1);
  }

  drop(): void {
    this.count--;
  }

  /** Runs a task to its end. */
  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  /** Subscribes; an errno is a failure of the test. */
  insert(start: number, pages: number, ops: MmuIntervalNotifierOps): MmuIntervalNotifier {
    const sub = this.run(mmuIntervalNotifierInsert(this, start, pages, ops));
    if (typeof sub === 'number') throw new Error(`insert: ${sub}`);
    return sub;
  }

  /** Starts an invalidation and runs its callbacks. */
  start(range: MmuNotifierRange): number {
    const ret = mmuNotifierInvalidateRangeStart(range);
    return typeof ret === 'number' ? ret : this.run(ret);
  }

  /** The subscriptions; there must be some. */
  get subs(): MmuNotifierSubscriptions {
    if (this.notifierSubscriptions === undefined) throw new Error('nobody is subscribed');
    return this.notifierSubscriptions;
  }
}

/** A driver with one lock that keeps a log of what it was told. */
export class LoggingDriver implements MmuIntervalNotifierOps {
  readonly mutex: Mutex;
  readonly log: string[] = [];
  /** Called under the lock with each range. */
  onZap: ((range: MmuNotifierRange) => void) | undefined;
  /** Called when a callback is done, under the lock if it has it. */
  onCallback: ((step: CallbackStep) => void) | undefined;
  private readonly name: string;

  constructor(mm: BareMm, name = 'dev') {
    this.mutex = new Mutex(mm.kernel.sched, mm.kernel.allocIds(1), 'driver');
    this.name = name;
  }

  invalidate(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): MaybeTask<boolean> {
    if (this.mutex.tryFast()) return this.zap(sub, range, curSeq, false);
    if (mmuNotifierRangeBlockable(range)) return this.wait(sub, range, curSeq);
    this.onCallback?.({ step: 'callback', sub, range, slept: false, ok: false, filtered: false });
    return false;
  }

  private *wait(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): Task<boolean> {
    yield* this.mutex.lock();
    return this.zap(sub, range, curSeq, true);
  }

  private zap(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number, slept: boolean): true {
    mmuIntervalSetSeq(sub, curSeq);
    this.onCallback?.({ step: 'callback', sub, range, slept, ok: true, filtered: false });
    this.onZap?.(range);
    this.log.push(`${this.name} ${range.start}-${range.end}`);
    this.mutex.unlock();
    return true;
  }
}
