import { Mutex, RwSemaphore, Sched, SP_PREEMPT, type Task } from '@hmm/kernel';
import type { Model } from '@hmm/explore';
import type { Choices, Outcome, Violation } from '@hmm/explore/internal';

/** An instruction of a toy thread: reads a cell, adds a number to it, counts in it, takes a lock, drops it … */
export type ToyOp =
  | readonly ['read', number]
  | readonly ['write', number]
  | readonly ['lock', number]
  | readonly ['unlock', number]
  | readonly ['try', number]
  | readonly ['try_at_once', number]
  | readonly ['down_read', number]
  | readonly ['up_read', number]
  | readonly ['down_write', number]
  | readonly ['up_write', number]
  | readonly ['up', number]
  | readonly ['down', number]
  | readonly ['fallible', number]
  | readonly ['await', number];

/** A small concurrent program over three cells, two mutexes and a reader-writer lock, with every access reported. */
export class Toy implements Model {
  readonly name = 'toy';
  readonly sched = new Sched();
  readonly cells = [0, 0, 0];
  private readonly mutexes = [new Mutex(this.sched, 10, 'm0'), new Mutex(this.sched, 11, 'm1')];
  private readonly rwsem = new RwSemaphore(this.sched, 12, 'rw');
  private readonly threads: readonly (readonly ToyOp[])[];
  private readonly never: ((cells: readonly number[]) => boolean) | undefined;
  private log: string[] = [];
  private choices: Choices | undefined;

  constructor(threads: readonly (readonly ToyOp[])[], never?: (cells: readonly number[]) => boolean) {
    this.threads = threads;
    this.never = never;
  }

  start(choices: Choices): void {
    this.choices = choices;
    this.sched.reset();
    this.cells.fill(0);
    this.log = this.threads.map(() => '');
    for (const [i, ops] of this.threads.entries()) this.sched.spawn(`T${i + 1}`, this.thread(i, ops));
  }

  finish(): Outcome {
    const text = `${this.log.join(' | ')} = ${this.cells.join(',')}`;
    if (this.never?.(this.cells) !== true) return { text };
    const violation: Violation = { invariant: 'never', detail: text };
    return { text, violation };
  }

  private *thread(index: number, ops: readonly ToyOp[]): Task {
    for (const [name, at] of ops) {
      switch (name) {
        case 'lock':
          yield* this.mutex(at).lock();
          break;
        case 'unlock':
          this.mutex(at).unlock();
          break;
        case 'try':
          if (this.mutex(at).tryLock()) {
            this.note(index, '+');
            yield SP_PREEMPT;
            this.mutex(at).unlock();
          } else this.note(index, '-');
          break;
        case 'try_at_once':
          this.within(index, this.mutex(at));
          break;
        case 'down_read':
          yield* this.rwsem.read();
          break;
        case 'up_read':
          this.rwsem.unlockRead();
          break;
        case 'down_write':
          yield* this.rwsem.write();
          break;
        case 'up_write':
          this.rwsem.unlockWrite();
          break;
        default:
          yield* this.data(index, name, at);
      }
    }
  }

  /** Takes a lock if it is free, changes cell 2 and drops the lock, all in one step. */
  private within(index: number, mutex: Mutex): void {
    if (!mutex.tryLock()) {
      this.note(index, '-');
      return;
    }
    this.sched.access(2, true);
    this.cells[2] = (this.cells[2] ?? 0) * 3 + index + 1;
    mutex.unlock();
  }

  private *data(index: number, name: string, at: number): Task {
    const { sched, cells } = this;
    if (name === 'await') {
      sched.access(at, false);
      while (cells[at] === 0) {
        yield* sched.block(100 + at);
        sched.access(at, false);
      }
      return;
    }
    yield SP_PREEMPT;
    const failed = name === 'fallible' && this.choices?.choose(2) === 1;
    if (name === 'read') {
      sched.access(at, false);
      this.note(index, String(cells[at]));
    } else if (name === 'up' || name === 'down') this.counts(name === 'down', at);
    else if (failed) this.note(index, '!');
    else {
      sched.access(at, true);
      cells[at] = (cells[at] ?? 0) * 3 + index + 1;
      sched.wake(100 + at);
    }
  }

  /** Counts a cell up, or down to 0 at most. */
  private counts(down: boolean, at: number): void {
    this.sched.counted(at, down);
    this.cells[at] = Math.max(0, (this.cells[at] ?? 0) + (down ? -1 : 1));
  }

  private note(index: number, text: string): void {
    this.log[index] = (this.log[index] ?? '') + text;
  }

  private mutex(at: number): Mutex {
    const mutex = this.mutexes[at % 2];
    if (mutex === undefined) throw new Error('unreachable');
    return mutex;
  }
}
