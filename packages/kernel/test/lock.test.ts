import { describe, expect, test } from 'vitest';
import { Kernel, Mutex, RwSemaphore, SP_PREEMPT, SpinLock, type Task } from '@hmm/kernel';
import { codeOf } from './code-of.js';

/** Agents that take turns with one semaphore, and a log of who comes in when. */
class Turns {
  readonly sched = new Kernel().sched;
  readonly sem = new RwSemaphore(this.sched, 1, 'mmap_lock');
  readonly log: string[] = [];

  reader(name: string, ns: number): void {
    this.sched.spawn(name, this.read(name, ns));
  }

  writer(name: string, ns: number): void {
    this.sched.spawn(name, this.write(name, ns));
  }

  private *read(name: string, ns: number): Task {
    if (!this.sem.tryReadFast()) yield* this.sem.read();
    this.note(name);
    yield* this.sched.delay(ns);
    this.sem.unlockRead();
  }

  private *write(name: string, ns: number): Task {
    if (!this.sem.tryWriteFast()) yield* this.sem.write();
    this.note(name);
    yield* this.sched.delay(ns);
    this.sem.unlockWrite();
  }

  note(name: string): void {
    this.log.push(`${name} in @${this.sched.now}`);
  }
}

describe('a mutex', () => {
  test('makes the second agent wait until the first drops it', () => {
    const { sched } = new Kernel();
    const mutex = new Mutex(sched, 100, 'test');
    const log: string[] = [];
    const agent = function* (name: string): Task {
      if (!mutex.tryFast()) yield* mutex.lock();
      log.push(`${name} in @${sched.now}`);
      yield* sched.delay(7);
      mutex.unlock();
    };
    sched.spawn('a', agent('a'));
    sched.spawn('b', agent('b'));
    sched.run();
    expect(log).toEqual(['a in @0', 'b in @7']);
  });

  test('is not taken twice by one agent, nor dropped by one that does not hold it', () => {
    const { sched } = new Kernel();
    const mutex = new Mutex(sched, 1, 'm');
    expect(
      codeOf(() => {
        mutex.unlock();
      }),
    ).toBe('NOT_OWNER');
    expect(mutex.tryLock()).toBe(true);
    expect(mutex.tryLock()).toBe(false);
    expect(mutex.held()).toBe(true);
    expect(
      codeOf(() => {
        sched.runSync(mutex.lock());
      }),
    ).toBe('SELF_DEADLOCK');
    const other = sched.spawn('other', dropping(mutex));
    sched.step(other);
    expect(codeOf(() => sched.step(other))).toBe('NOT_OWNER');
  });

  test('that would have to be waited for in a synchronous run is an error, not a hang', () => {
    const { sched } = new Kernel();
    const mutex = new Mutex(sched, 1, 'm');
    const holder = sched.spawn('holder', holding(mutex));
    sched.step(holder);
    expect(
      codeOf(() => {
        sched.runSync(mutex.lock());
      }),
    ).toBe('WOULD_BLOCK');
  });

  test('is a scheduling point while exploring, also when it is free', () => {
    const { sched } = new Kernel();
    sched.exploring = true;
    const mutex = new Mutex(sched, 1, 'm');
    const agent = sched.spawn('a', mutex.lock());
    expect(mutex.tryFast()).toBe(false);
    expect(sched.step(agent)).toBeDefined();
    expect(mutex.owner).toBe(-1);
    expect(sched.step(agent)).toBeUndefined();
    expect(mutex.owner).toBe(agent.id);
  });

  test('that a given-up exploration held is free again', () => {
    const { sched } = new Kernel();
    sched.exploring = true;
    const mutex = new Mutex(sched, 1, 'm');
    const sem = new RwSemaphore(sched, 2, 's');
    mutex.tryLock();
    sem.tryRead();
    sched.reset();
    expect([mutex.owner, sem.readers]).toEqual([-1, 0]);
    expect(
      codeOf(() => {
        sem.unlockRead();
      }),
    ).toBe('NOT_OWNER');
  });
});

describe('a reader-writer semaphore', () => {
  test('readers share it, a writer is alone', () => {
    const { sched } = new Kernel();
    const sem = new RwSemaphore(sched, 1, 'mmap_lock');
    expect(sem.tryRead()).toBe(true);
    expect(sem.tryReadFast()).toBe(true);
    expect(sem.tryWriteFast()).toBe(false);
    sem.unlockRead();
    sem.unlockRead();
    expect(sem.tryWriteFast()).toBe(true);
    expect(sem.tryRead()).toBe(false);
  });

  test('a writer waits for the last reader', () => {
    const turns = new Turns();
    turns.reader('r1', 10);
    turns.reader('r2', 25);
    turns.writer('w', 5);
    turns.sched.run();
    expect(turns.log).toEqual(['r1 in @0', 'r2 in @0', 'w in @25']);
  });

  test('readers and writers wait for a writer', () => {
    const turns = new Turns();
    turns.writer('w1', 10);
    turns.reader('r', 4);
    turns.writer('w2', 1);
    turns.sched.run();
    expect(turns.log).toEqual(['w1 in @0', 'r in @10', 'w2 in @14']);
  });

  test('readers that wait come in as soon as a writer turns into a reader; a writer does not', () => {
    const turns = new Turns();
    const { sched, sem } = turns;
    const downgrader = function* (): Task {
      yield* sem.write();
      yield* sched.delay(10);
      sem.downgradeWrite();
      turns.note('downgraded');
      yield* sched.delay(10);
      sem.unlockRead();
    };
    sched.spawn('d', downgrader());
    turns.reader('r', 1);
    turns.writer('w', 1);
    sched.run();
    expect(turns.log).toEqual(['downgraded in @10', 'r in @10', 'w in @20']);
  });

  test('a hold is dropped by the agent that has it', () => {
    const { sched } = new Kernel();
    const sem = new RwSemaphore(sched, 1, 'mmap_lock');
    expect(
      codeOf(() => {
        sem.unlockRead();
      }),
    ).toBe('NOT_OWNER');
    expect(
      codeOf(() => {
        sem.downgradeWrite();
      }),
    ).toBe('NOT_OWNER');
    const readers = ['a', 'b', 'c'].map((name) => sched.spawn(name, reading(sem)));
    for (const reader of readers) sched.step(reader);
    expect(sem.readers).toBe(3);
    // The boot agent is none of them.
    expect(
      codeOf(() => {
        sem.unlockRead();
      }),
    ).toBe('NOT_OWNER');
    expect(
      codeOf(() => {
        sem.unlockWrite();
      }),
    ).toBe('NOT_OWNER');
    expect(sem.readers).toBe(3);
    for (const reader of [...readers].reverse()) sched.step(reader);
    expect(sem.readers).toBe(0);
    expect(sem.tryWriteFast()).toBe(true);
  });
});

describe('a spinlock', () => {
  test('that is found taken is a defect', () => {
    const lock = new SpinLock(new Kernel().sched, 'ptl');
    lock.lock();
    expect(
      codeOf(() => {
        lock.lock();
      }),
    ).toBe('SPIN_HELD');
    lock.unlock();
    expect(
      codeOf(() => {
        lock.lock();
      }),
    ).toBe('none');
  });
});

function* dropping(mutex: Mutex): Task {
  yield SP_PREEMPT;
  mutex.unlock();
}

function* holding(mutex: Mutex): Task {
  yield* mutex.lock();
  yield SP_PREEMPT;
}

function* reading(sem: RwSemaphore): Task {
  yield* sem.read();
  yield SP_PREEMPT;
  sem.unlockRead();
}
