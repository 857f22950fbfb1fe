import { describe, expect, test } from 'vitest';
import { HmmError, Kernel, Mutex, RwSemaphore, SP_PREEMPT, type Task } from '@hmm/kernel';

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return 'none';
};

describe('virtual time', () => {
  test('agents run in order of time, ties by the order they were spawned in', () => {
    const { sched } = new Kernel();
    const log: string[] = [];
    const agent = function* (name: string, ns: number): Task {
      for (let i = 0; i < 3; i++) {
        log.push(`${name}@${sched.now}`);
        yield* sched.delay(ns);
      }
    };
    sched.spawn('a', agent('a', 10));
    sched.spawn('b', agent('b', 5));
    sched.run();
    expect(log).toEqual(['a@0', 'b@0', 'b@5', 'a@10', 'b@10', 'a@20']);
  });

  test('time that passes on the spot passes in the same order', () => {
    const ran = (fast: boolean): string[] => {
      const { sched } = new Kernel();
      const log: string[] = [];
      let onTheSpot = 0;
      const agent = function* (name: string, steps: readonly number[]): Task {
        for (const ns of steps) {
          log.push(`${name}@${sched.now}`);
          if (fast && sched.delayFast(ns)) onTheSpot++;
          else yield* sched.delay(ns);
        }
        log.push(`${name} ends @${sched.now}`);
      };
      sched.spawn('a', agent('a', [10, 1, 1, 8]));
      sched.spawn('b', agent('b', [5, 5, 10, 3, 4]));
      sched.spawnDaemon('d', agent('d', [4, 4, 4, 4, 4, 4, 4, 4]));
      sched.run(12);
      log.push(`stopped @${sched.now}`);
      sched.run();
      expect(onTheSpot > 0).toBe(fast);
      return log;
    };
    expect(ran(true)).toEqual(ran(false));
  });

  test('no time passes on the spot where tasks are run step by step', () => {
    const { sched } = new Kernel();
    expect(sched.delayFast(5)).toBe(false);
    const alone = function* (): Task<boolean> {
      yield* sched.delay(1);
      return sched.delayFast(5);
    };
    expect(sched.runSync(alone())).toBe(true);
    expect(sched.now).toBe(6);
    sched.exploring = true;
    expect(sched.runSync(alone())).toBe(false);
  });

  test('a run ends when only daemons are left, waiting or with work of their own', () => {
    const { sched } = new Kernel();
    const log: string[] = [];
    const server = function* (): Task {
      for (;;) {
        log.push(`serve@${sched.now}`);
        sched.wake(8);
        yield* sched.block(7);
      }
    };
    const ticker = function* (): Task {
      for (;;) yield* sched.delay(10);
    };
    const client = function* (): Task {
      yield* sched.delay(25);
      sched.wake(7);
      yield* sched.block(8);
      log.push(`served@${sched.now}`);
    };
    sched.spawnDaemon('server', server());
    sched.spawnDaemon('ticker', ticker());
    sched.spawn('client', client());
    sched.run();
    expect(log).toEqual(['serve@0', 'serve@25', 'served@25']);
  });

  test('a contended mutex makes the second agent wait until the first drops it', () => {
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

  test('agents that wait for each other are a deadlock, named', () => {
    const { sched } = new Kernel();
    const [x, y] = [new Mutex(sched, 1, 'x'), new Mutex(sched, 2, 'y')];
    const agent = function* (first: Mutex, second: Mutex): Task {
      yield* first.lock();
      yield* sched.delay(1);
      yield* second.lock();
    };
    sched.spawn('a', agent(x, y));
    sched.spawn('b', agent(y, x));
    expect(
      codeOf(() => {
        sched.run();
      }),
    ).toBe('DEADLOCK');
  });
});

describe('locks', () => {
  test('lockdep refuses an order seen the other way round, even if nobody deadlocks', () => {
    const { sched } = new Kernel();
    sched.lockdep.enabled = true;
    const [mmap, svmm] = [new Mutex(sched, 1, 'mmap_lock'), new Mutex(sched, 2, 'svmm')];
    const nest = function* (outer: Mutex, inner: Mutex): Task {
      yield* outer.lock();
      yield* inner.lock();
      inner.unlock();
      outer.unlock();
    };
    sched.runSync(nest(mmap, svmm));
    expect(sched.lockdep.edges()).toEqual([['mmap_lock', 'svmm']]);
    expect(
      codeOf(() => {
        sched.runSync(nest(svmm, mmap));
      }),
    ).toBe('LOCK_ORDER');
  });

  test('readers share a semaphore, a writer is alone', () => {
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

  test('a synchronous run that would have to wait is an error, not a hang', () => {
    const { sched } = new Kernel();
    const mutex = new Mutex(sched, 1, 'm');
    const holder = sched.spawn(
      'holder',
      (function* (): Task {
        yield* mutex.lock();
        yield SP_PREEMPT;
      })(),
    );
    sched.step(holder);
    expect(
      codeOf(() => {
        sched.runSync(mutex.lock());
      }),
    ).toBe('WOULD_BLOCK');
  });

  test('while exploring, a free lock is a scheduling point', () => {
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
});
