import { expect, test } from 'vitest';
import { AGENT_DONE, AGENT_READY, Prng, type Sched, type Task } from '@hmm/kernel';
import { I22, I32, I33, I34 } from '@hmm/migrate';
import { MADV_DONTNEED, cpuReadByte, cpuWriteByte, sysMadvise, sysMunmap } from '@hmm/mm';
import { NOUVEAU_DEFECTS } from '@hmm/nouveau-model/internal';
import { mirrorBroken } from './mirror.js';
import { Setup } from './setup.js';

const SCHEDULES = 40;
const MAX_STEPS = 100_000;

/** Runs all agents, at each scheduling point a random one, until only daemons are left. */
function explore(sched: Sched, prng: Prng): void {
  sched.exploring = true;
  for (let step = 0; step < MAX_STEPS; step++) {
    const ready = sched.agents.filter((agent) => agent.task !== undefined && agent.state === AGENT_READY);
    const left = sched.agents.filter(
      (agent) => agent.task !== undefined && !agent.daemon && agent.state !== AGENT_DONE,
    );
    if (left.length === 0) {
      sched.exploring = false;
      return;
    }
    const agent = ready[prng.below(ready.length)];
    if (agent === undefined) throw new Error(`deadlock: ${left.map(({ name }) => name).join(', ')}`);
    sched.step(agent);
  }
  throw new Error('this schedule does not end');
}

/** Every random schedule of `threads` over two pages of memory ends, and leaves the mirror right. */
function hold(threads: (s: Setup, a: number) => readonly Task<unknown>[]): void {
  for (let seed = 1; seed <= SCHEDULES; seed++) {
    const s = new Setup({ mended: 'all' });
    s.kernel.trace.on = false;
    const a = s.malloc(2);
    s.cpuWrite(a, 2, 1);
    for (const [i, task] of threads(s, a).entries()) s.kernel.sched.spawn(`T${i}`, task);
    explore(s.kernel.sched, new Prng(seed));
    for (const vpn of [a, a + 1]) expect(mirrorBroken(s, vpn), `seed ${seed}`).toBeUndefined();
    for (const rule of [I22, I32, I33, I34]) expect(rule(s.memory), `seed ${seed}`).toBeUndefined();
  }
}

function* cpu(s: Setup, a: number): Task {
  yield* cpuWriteByte(s.mm, a, 1, 7);
  yield* cpuReadByte(s.mm, a + 1, 0);
}

test('a GPU kernel, a CPU thread and an SVM_BIND at once', () => {
  hold((s, a) => [s.launch(a, [0, 1], 'write', 9), cpu(s, a), s.process.prefetch(a, 2, 'gpu')]);
});

test('a GPU kernel that loses its memory to madvise while it is moved', () => {
  hold((s, a) => [
    s.launch(a, [0, 1], 'read'),
    sysMadvise(s.mm, a, 1, MADV_DONTNEED),
    s.process.prefetch(a, 2, 'gpu'),
  ]);
});

test('atomics of two GPU kernels against the CPU', () => {
  hold((s, a) => [s.launch(a, [0], 'atomic', 1), s.launch(a, [0, 1], 'atomic', 1, 'serial'), cpu(s, a)]);
});

test('munmap under a running kernel and a move', () => {
  hold((s, a) => [
    s.launch(a, [0, 1], 'write', 3),
    sysMunmap(s.mm, a + 1, 1),
    s.process.prefetch(a, 2, 'gpu'),
  ]);
});

test('the device is closed under a kernel, a move and a CPU access', () => {
  hold((s, a) => [
    s.launch(a, [0, 1], 'write', 3),
    s.process.prefetch(a, 2, 'gpu'),
    cpu(s, a),
    s.process.close(),
  ]);
});

test('with its defect the same schedules find a store that is lost', () => {
  const lost = (keepsSourceMappings: boolean): boolean => {
    for (let seed = 1; seed <= SCHEDULES; seed++) {
      // Were MIGRATE passed over by nobody, nothing would be kept.
      const kept = keepsSourceMappings ? ['keepsSourceMappings', 'ownerIsDevice'] : [];
      const s = new Setup({ mended: NOUVEAU_DEFECTS.filter((name) => !kept.includes(name)) });
      s.kernel.trace.on = false;
      const a = s.malloc(1);
      s.cpuWrite(a, 1, 1);
      s.gpu(a, [0]);
      s.kernel.sched.spawn('kernel', s.launch(a, [0], 'write', 9));
      s.kernel.sched.spawn('bind', s.process.prefetch(a, 1, 'gpu'));
      explore(s.kernel.sched, new Prng(seed));
      if (s.cpuRead(a) !== 9) return true;
    }
    return false;
  };
  expect(lost(false)).toBe(false);
  expect(lost(true)).toBe(true);
});
