import { describe, expect, test } from 'vitest';
import { AGENT_READY, Kernel, Mutex, Prng, SP_PREEMPT, Sched, type Agent, type Task } from '@hmm/kernel';
import { codeOf } from './code-of.js';

/** What {@link Sched.next} must answer, by going through all agents. */
function leastOf(agents: readonly Agent[]): Agent | undefined {
  let best: Agent | undefined;
  for (const agent of agents) {
    if (agent.task === undefined || agent.state !== AGENT_READY) continue;
    if (best === undefined || agent.wakeAt < best.wakeAt) best = agent;
  }
  return best;
}

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

  test('a task that goes round for ever ends a synchronous run with LIVELOCK', () => {
    const { sched } = new Kernel();
    const round = function* (): Task {
      for (;;) yield* sched.delay(1);
    };
    expect(() => {
      sched.runSync(round());
    }).toThrow(/boot goes round without coming to its end/);
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

describe('many agents', () => {
  test('the next is always the one with the least time, of equals the one with the lowest id', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const sched = new Sched();
      const random = new Prng(seed);
      const agent = function* (): Task {
        for (let i = 0; i < 12; i++) {
          const what = random.below(5);
          if (what === 0) yield* sched.delay(random.below(4));
          else if (what === 1) yield SP_PREEMPT;
          else if (what === 2 && sched.agents.length < 60) sched.spawn('another', agent());
          else if (what === 3) sched.wake(random.below(40));
          else if (random.below(3) === 0) yield* sched.block(random.below(40));
        }
      };
      for (let i = 0; i < 9; i++) sched.spawn('agent', agent());
      let steps = 0;
      for (let next = sched.next(); next !== undefined; next = sched.next(), steps++) {
        expect(next, `seed ${seed}`).toBe(leastOf(sched.agents));
        if (next.wakeAt > sched.now) sched.now = next.wakeAt;
        sched.step(next);
      }
      expect(leastOf(sched.agents)).toBeUndefined();
      expect(steps).toBeGreaterThan(9);
    }
  });

  test('a strategy may step whomever it likes; time finds its order all the same', () => {
    const sched = new Sched();
    sched.exploring = true;
    const agent = function* (ns: number): Task {
      yield* sched.delay(ns);
      yield* sched.delay(1);
    };
    const agents = [30, 20, 10].map((ns) => sched.spawn('agent', agent(ns)));
    for (const each of agents) sched.step(each);
    expect(sched.next()).toBe(agents[2]);
    // The clock stands still while a strategy chooses: this one's time goes back.
    if (agents[0] !== undefined) sched.step(agents[0]);
    expect(sched.next()).toBe(agents[0]);
  });

  test('waking makes exactly those ready that wait for the channel', () => {
    const sched = new Sched();
    const woken: number[] = [];
    const waiter = function* (channel: number): Task {
      yield* sched.block(channel);
      woken.push(channel);
    };
    // Channels that share a bucket, and far more than there are buckets at first.
    for (let i = 0; i < 100; i++) sched.step(sched.spawnDaemon('waiter', waiter((i % 25) * 16 + 2 ** 33)));
    sched.wake(3 * 16 + 2 ** 33);
    sched.spawn('client', sched.delay(1));
    sched.run();
    expect(woken).toEqual([48 + 2 ** 33, 48 + 2 ** 33, 48 + 2 ** 33, 48 + 2 ** 33]);
  });

  test('an agent that is done has let go of its code and stays known by its id', () => {
    const sched = new Sched();
    const agent = sched.spawn('short', sched.delay(5));
    sched.run();
    expect(agent.task).toBeUndefined();
    expect(sched.agents[agent.id]?.name).toBe('short');
    expect(codeOf(() => sched.step(agent))).toBe('NO_TASK');
  });

  test('an agent that is blocked cannot be run', () => {
    const sched = new Sched();
    const agent = sched.spawn('waiter', sched.block(1));
    sched.step(agent);
    expect(codeOf(() => sched.step(agent))).toBe('NOT_READY');
  });

  test('a reset forgets who was ready and who waited', () => {
    const sched = new Sched();
    sched.step(sched.spawn('waiter', sched.block(1)));
    sched.spawn('ready', sched.delay(1));
    sched.reset();
    sched.wake(1);
    expect(sched.next()).toBeUndefined();
    sched.run();
    expect(sched.agents).toHaveLength(1);
  });

  test('what one agent costs does not grow with the number of agents before it', () => {
    // Steps, not seconds, are counted: how often the scheduler reads when an agent wants to run.
    const readsOf = (count: number): number => {
      const sched = new Sched();
      let reads = 0;
      const main = function* (): Task {
        for (let i = 0; i < count; i++) {
          const child = sched.spawn('child', sched.delay(1));
          const { wakeAt } = child;
          let at = wakeAt;
          Object.defineProperty(child, 'wakeAt', {
            get: () => (reads++, at),
            set: (value: number) => (at = value),
          });
          yield* sched.delay(2);
        }
      };
      sched.spawn('main', main());
      sched.run();
      return reads / count;
    };
    expect(readsOf(4000)).toBeLessThan(1.2 * readsOf(400));
  });

  test('events keep the ids of agents beyond the 65,536th', () => {
    const kernel = new Kernel();
    kernel.trace.on = true;
    for (let i = 0; i < 70_000; i++) kernel.sched.spawn('short', nothing());
    const last = kernel.sched.spawn('last', emitting(kernel));
    kernel.sched.run();
    expect(kernel.trace.at(0).agent).toBe(last.id);
    expect(last.id).toBe(70_001);
  });
});

function* nothing(): Task {
  return;
}

function* emitting(kernel: Kernel): Task {
  yield SP_PREEMPT;
  kernel.emit(0, 0, 1, 0);
}
