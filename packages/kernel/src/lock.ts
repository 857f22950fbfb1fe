import { HmmError } from './error.js';
import { LOCK_NESTED, LOCK_TRY, LOCK_WAIT } from './lockdep.js';
import type { AbandonedLock, Sched } from './sched.js';
import { declareState } from './state.js';
import { SP_BLOCK, SP_LOCK, type Task } from './task.js';

const FREE = -1;

const FREED_BY_RESET = { hashed: '`Sched.reset` frees what an abandoned run held' };
const OUTSIDE = { outside: 'agents are made anew, and the scheduler is reset' };

/** Makes the running agent wait for a lock with the id `lock`, from its next `SP_BLOCK` on. */
export function waitForLock(sched: Sched, lock: number): void {
  sched.current.channel = lock;
  sched.current.lockWait = true;
}

/**
 * A sleeping lock of the kernel (`struct mutex`). The fast path, for code that runs often:
 *
 * ```ts
 * if (!lock.tryFast()) yield* lock.lock();
 * ```
 */
export class Mutex implements AbandonedLock {
  /** What of it is state. */
  static readonly state = declareState({
    owner: FREED_BY_RESET,
    id: 'constant',
    sched: OUTSIDE,
    cls: 'constant',
  });

  /** Id of the agent that holds it, -1 when free. */
  owner = FREE;
  /** Identity for access observation, and the wait channel. */
  readonly id: number;
  private readonly sched: Sched;
  private readonly cls: number;

  /** `id` must be unique among all wait channels and observed objects of `sched`; `cls` names the lock class. */
  constructor(sched: Sched, id: number, cls: string) {
    this.sched = sched;
    this.id = id;
    this.cls = sched.lockdep.classId(cls);
  }

  /** Takes the lock if it is free and no exploration wants a scheduling point here. */
  tryFast(): boolean {
    if (this.sched.exploring || this.owner !== FREE) return false;
    this.take();
    return true;
  }

  /** Takes the lock if it is free (`mutex_trylock`). */
  tryLock(): boolean {
    const free = this.owner === FREE;
    this.sched.access(this.id, free);
    if (!free) return false;
    this.take(true);
    return true;
  }

  /** Takes the lock, waiting for it if need be. */
  *lock(): Task {
    if (this.sched.exploring) yield SP_LOCK;
    while (!this.takeOrWait()) yield SP_BLOCK;
  }

  /**
   * Takes the lock if it is free; else the running agent waits for it from its next `SP_BLOCK` on. {@link Mutex.lock} by
   * hand, where a task of its own would cost too much:
   *
   * ```ts
   * if (sched.exploring) yield SP_LOCK;
   * while (!lock.takeOrWait()) yield SP_BLOCK;
   * ```
   */
  takeOrWait(): boolean {
    const { sched } = this;
    if (this.owner !== FREE) {
      if (this.owner === sched.current.id) throw this.misuse('SELF_DEADLOCK', 'takes again');
      waitForLock(sched, this.id);
      return false;
    }
    sched.acquired(this.id, true);
    this.take();
    return true;
  }

  /** Drops the lock and wakes who waits. */
  unlock(): void {
    const { sched } = this;
    if (this.owner !== sched.current.id) throw this.misuse('NOT_OWNER', 'drops, without holding it,');
    this.owner = FREE;
    sched.noteFree(this);
    sched.lockdep.release(sched.current, this.cls);
    sched.released(this.id, true);
    sched.wake(this.id);
  }

  /** Whether the running agent holds it. */
  held(): boolean {
    return this.owner === this.sched.current.id;
  }

  /** @inheritdoc */
  abandon(): void {
    this.owner = FREE;
  }

  private take(trylock = false): void {
    this.owner = this.sched.current.id;
    this.sched.noteHeld(this);
    this.sched.lockdep.acquire(this.sched.current, this.cls, trylock ? LOCK_TRY : LOCK_WAIT);
  }

  private misuse(code: string, what: string): HmmError {
    return new HmmError(code, `${this.sched.current.name} ${what} a mutex`, { lock: this.id });
  }
}

/**
 * A reader-writer sleeping lock of the kernel (`struct rw_semaphore`), as `mmap_lock` is one.
 * A waiting writer does not keep new readers out: who goes first is the scheduler's choice.
 */
export class RwSemaphore implements AbandonedLock {
  /** What of it is state. */
  static readonly state = declareState({
    readers: FREED_BY_RESET,
    reader: FREED_BY_RESET,
    otherReaders: FREED_BY_RESET,
    writer: FREED_BY_RESET,
    id: 'constant',
    sched: OUTSIDE,
    cls: 'constant',
  });

  /** Number of readers inside. */
  readers = 0;
  /** Id of one of the agents that are inside as readers, -1 when none is. */
  private reader = FREE;
  /** Ids of the other readers, one for each further hold. */
  private readonly otherReaders: number[] = [];
  /** Id of the writer inside, -1 when none. */
  writer = FREE;
  /** Identity for access observation, and the wait channel. */
  readonly id: number;
  private readonly sched: Sched;
  private readonly cls: number;

  /** As {@link Mutex}'s constructor. */
  constructor(sched: Sched, id: number, cls: string) {
    this.sched = sched;
    this.id = id;
    this.cls = sched.lockdep.classId(cls);
  }

  /** Takes it for reading if no writer is inside and no exploration wants a scheduling point here. */
  tryReadFast(): boolean {
    if (this.sched.exploring || this.writer !== FREE) return false;
    this.takeRead();
    return true;
  }

  /** Takes it for writing if nobody is inside and no exploration wants a scheduling point here. */
  tryWriteFast(): boolean {
    if (this.sched.exploring || this.writer !== FREE || this.readers !== 0) return false;
    this.takeWrite();
    return true;
  }

  /** Takes it for reading if no writer is inside (`down_read_trylock`). */
  tryRead(): boolean {
    this.sched.access(this.id, false);
    if (this.writer !== FREE) return false;
    this.takeRead(LOCK_TRY);
    return true;
  }

  /** Takes it for reading (`down_read`). */
  *read(): Task {
    const { sched } = this;
    if (sched.exploring) yield SP_LOCK;
    while (this.writer !== FREE) {
      waitForLock(sched, this.id);
      yield SP_BLOCK;
    }
    sched.acquired(this.id, false);
    this.takeRead();
  }

  /** Takes it for writing (`down_write`). */
  *write(): Task {
    const { sched } = this;
    if (sched.exploring) yield SP_LOCK;
    while (this.writer !== FREE || this.readers !== 0) {
      waitForLock(sched, this.id);
      yield SP_BLOCK;
    }
    sched.acquired(this.id, true);
    this.takeWrite();
  }

  /**
   * Turns the write hold into a read hold; readers that wait can enter (`downgrade_write`).
   * @throws HmmError `NOT_OWNER` when the running agent is not the writer.
   */
  downgradeWrite(): void {
    this.unlockWrite();
    this.sched.access(this.id, false);
    this.takeRead(LOCK_TRY);
  }

  /**
   * Drops a read hold (`up_read`).
   * @throws HmmError `NOT_OWNER` when the running agent has none.
   */
  unlockRead(): void {
    this.removeReader(this.sched.current.id);
    this.readers--;
    this.drop(false);
  }

  /**
   * Drops the write hold (`up_write`).
   * @throws HmmError `NOT_OWNER` when the running agent is not the writer.
   */
  unlockWrite(): void {
    if (this.writer !== this.sched.current.id) {
      throw new HmmError('NOT_OWNER', 'up_write by an agent that does not hold it', { lock: this.id });
    }
    this.writer = FREE;
    this.drop(true);
  }

  /** @inheritdoc */
  abandon(): void {
    this.readers = 0;
    this.reader = FREE;
    if (this.otherReaders.length > 0) this.otherReaders.length = 0;
    this.writer = FREE;
  }

  private takeRead(how = LOCK_WAIT): void {
    const { current, lockdep } = this.sched;
    this.readers++;
    if (this.reader === FREE) this.reader = current.id;
    else this.otherReaders.push(current.id);
    this.sched.noteHeld(this);
    lockdep.acquire(current, this.cls, how);
  }

  private removeReader(agent: number): void {
    const { otherReaders } = this;
    if (this.reader === agent) {
      this.reader = otherReaders.pop() ?? FREE;
      return;
    }
    const at = otherReaders.indexOf(agent);
    if (at < 0)
      throw new HmmError('NOT_OWNER', 'up_read by an agent that does not hold it', { lock: this.id });
    otherReaders.splice(at, 1);
  }

  private takeWrite(): void {
    this.writer = this.sched.current.id;
    this.sched.noteHeld(this);
    this.sched.lockdep.acquire(this.sched.current, this.cls, LOCK_WAIT);
  }

  private drop(write: boolean): void {
    const { sched } = this;
    sched.noteFree(this);
    sched.lockdep.release(sched.current, this.cls);
    sched.released(this.id, write);
    sched.wake(this.id);
  }
}

/**
 * A spinning lock of the kernel (page-table locks, list locks). Code under it has no scheduling point, so it can
 * never be found taken: finding it so is a defect.
 */
export class SpinLock implements AbandonedLock {
  /** What of it is state. */
  static readonly state = declareState({
    locked: FREED_BY_RESET,
    sched: OUTSIDE,
    cls: 'constant',
  });

  /** Whether it is taken. */
  locked = false;
  private readonly sched: Sched;
  private readonly cls: number;

  constructor(sched: Sched, cls: string) {
    this.sched = sched;
    this.cls = sched.lockdep.classId(cls);
  }

  /** Takes it (`spin_lock`), or, `nested`, under another of its class (`spin_lock_nested`). */
  lock(nested = false): void {
    if (this.locked) throw new HmmError('SPIN_HELD', 'a scheduling point was passed under a spinlock');
    this.locked = true;
    this.sched.noteHeld(this);
    if (this.sched.lockdep.enabled)
      this.sched.lockdep.acquire(this.sched.current, this.cls, nested ? LOCK_NESTED : LOCK_WAIT);
  }

  /** Drops it (`spin_unlock`). */
  unlock(): void {
    this.locked = false;
    this.sched.noteFree(this);
    if (this.sched.lockdep.enabled) this.sched.lockdep.release(this.sched.current, this.cls);
  }

  /** @inheritdoc */
  abandon(): void {
    this.locked = false;
  }
}
