import { AGENT_BLOCKED, AGENT_READY, type Agent, Prng, type Task } from '@hmm/kernel';
import { fc } from '@hmm/config/property';
import { expect, it } from 'vitest';
import {
  FOLL_LONGTERM,
  FOLL_WRITE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  mmput,
  pinUserPages,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMunmap,
  unpinUserPage,
} from '../src/index.js';
import { NotifierOracle } from './notifier-oracle.js';
import { BASE, Machine } from './support.js';

const ANON_FIXED = 0x32;

/** One random operation of a thread; pins and children are given back before it returns. */
function* operation(m: Machine, prng: Prng): Task<unknown> {
  const { mm } = m;
  const at = BASE + prng.below(10);
  const pages = 1 + prng.below(4);
  switch (prng.below(12)) {
    case 0:
      return yield* sysMmap(mm, at, pages, 3, ANON_FIXED);
    case 1:
      return yield* sysMunmap(mm, at, pages);
    case 2:
      return yield* sysMprotect(mm, at, pages, prng.below(2) === 0 ? 1 : 3);
    case 3:
      return yield* sysMadvise(mm, at, pages, [MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT][prng.below(3)] ?? 0);
    case 4:
      return yield* sysMadvise(mm, at, pages, MADV_PAGEOUT);
    case 5:
      return yield* sysMremap(mm, at, pages, pages, 3, BASE + prng.below(10));
    case 6:
      return yield* sysMlock(mm, at, pages);
    case 7:
      return yield* forkAndWrite(m, at);
    case 8:
      return yield* pinAndDrop(m, at, pages);
    case 9:
      return yield* cpuReadByte(mm, at, 0);
    default:
      return yield* cpuWriteByte(mm, at, 0, prng.below(256));
  }
}

function* forkAndWrite(m: Machine, at: number): Task {
  const child = yield* dupMm(m.mm);
  if (typeof child === 'number') return;
  yield* cpuWriteByte(child, at, 0, 1);
  yield* mmput(child);
}

function* pinAndDrop(m: Machine, at: number, pages: number): Task {
  const pinned: number[] = [];
  if (!m.mm.mmapLock.tryReadFast()) yield* m.mm.mmapLock.read();
  yield* pinUserPages(m.mm, at, pages, FOLL_WRITE | FOLL_LONGTERM, pinned);
  m.mm.mmapLock.unlockRead();
  for (const pfn of pinned) unpinUserPage(m.system, pfn);
}

function* thread(m: Machine, seed: number): Task {
  const prng = new Prng(seed);
  for (let i = 0; i < 12; i++) yield* operation(m, prng);
}

/** Lets the threads take steps in an order drawn from `seed`, until all are done. */
function schedule(m: Machine, agents: readonly Agent[], seed: number, notifier: NotifierOracle): void {
  const prng = new Prng(seed);
  const { sched } = m.kernel;
  sched.exploring = true;
  for (;;) {
    const ready = agents.filter((agent) => agent.state === AGENT_READY);
    const agent = ready[prng.below(ready.length)];
    if (agent === undefined) break;
    sched.step(agent);
    if (notifier.look() !== undefined) throw new Error(notifier.wrong);
  }
  sched.exploring = false;
  const stuck = agents.filter((agent) => agent.state === AGENT_BLOCKED);
  if (stuck.length > 0) throw new Error(`${stuck.length} threads wait for ever`);
}

it('survives threads that do anything at once', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 2, max: 3 }), (seed, threads) => {
      const m = new Machine({ frames: 4096, systemFrames: 2048, swapSlots: 12 });
      m.kernel.sched.lockdep.enabled = true;
      m.map(0, 10);
      m.fill(0, 6);
      const notifier = new NotifierOracle(m, 16);
      notifier.watch(m.mm);
      const agents = Array.from({ length: threads }, (_, i) =>
        m.kernel.sched.spawn(`thread ${i}`, thread(m, seed + i)),
      );
      schedule(m, agents, seed ^ 0x5bd1e995, notifier);
      notifier.forget(m.mm);
      expect(m.broken()).toBeUndefined();
      m.run(mmput(m.mm));
      m.unlisten();
      expect([m.system.swap.used, m.system.tables.used]).toEqual([0, 0]);
      expect(m.broken()).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});
