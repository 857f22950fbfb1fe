import { HmmError, type Task } from '@hmm/kernel';
import { MADV_COLD, MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, sysMadvise, sysMunmap } from '@hmm/mm';
import { type MmuIntervalNotifier, mmuIntervalNotifierInsert, mmuIntervalSetSeq } from '@hmm/mmu-notifier';
import { expect, test } from 'vitest';
import { BASE } from './support.js';
import { HugeDriver, HugeHost } from './support-huge.js';

// Historical bugs of device-private huge pages: planted, an invariant breaks; without them the same steps keep all.

const NR = 512;

class Bug {
  readonly host = new HugeHost();
  readonly device = new HugeDriver(this.host);

  constructor(mutant: string) {
    this.host.kernel.mutant = mutant;
    this.host.map(BASE, 2 * NR);
    this.host.run(sysMadvise(this.host.mm, BASE, NR, MADV_HUGEPAGE));
    for (let i = 0; i < NR; i++) this.host.write(BASE + i, 1 + (i % 200));
    this.device.toDevice(BASE, NR);
  }

  /** What is broken after `steps`: an invariant, or a rule that the model itself refuses to break. */
  broken(steps: () => void): string | undefined {
    try {
      steps();
    } catch (error) {
      if (error instanceof HmmError) return error.code;
      throw error;
    }
    return this.host.broken() ?? this.device.broken[0];
  }
}

function caught(
  mutant: string,
  steps: (bug: Bug) => void,
): [planted: string | undefined, without: string | undefined] {
  const [planted, without] = [new Bug(mutant), new Bug('')];
  return [
    planted.broken(() => {
      steps(planted);
    }),
    without.broken(() => {
      steps(without);
    }),
  ];
}

test('B13: a large private folio keeps its order when its range is used again for a single page', () => {
  const [planted, without] = caught('B13', ({ host, device }) => {
    host.run(sysMunmap(host.mm, BASE, NR));
    host.run(sysMadvise(host.mm, BASE + NR, NR, MADV_NOHUGEPAGE));
    host.write(BASE + NR, 3);
    device.smallDevice = true;
    device.toDevice(BASE + NR, 1);
  });
  expect(planted).toMatch(/I67|I19|I33|UNDERFLOW/);
  expect(without).toBeUndefined();
});

test('B14: the split of a frozen PMD consumes the reference that keeps the folio', () => {
  const [planted, without] = caught('B14', ({ device }) => {
    device.smallSystem = true;
    device.toSystem(BASE, NR);
  });
  expect(planted).toBeDefined();
  expect(without).toBeUndefined();
});

test('B16: a private PMD of another process is not looked at again when its callbacks have run', () => {
  const [planted, without] = caught('B16', ({ host, device }) => {
    const child = host.fork();
    const { sched } = host.kernel;
    let calls = 0;
    function* slowly(sub: MmuIntervalNotifier, seq: number): Task<boolean> {
      mmuIntervalSetSeq(sub, seq);
      if (calls++ === 0) yield* sched.delay(10_000);
      return true;
    }
    host.run(
      mmuIntervalNotifierInsert(child, BASE, NR, { invalidate: (sub, _range, seq) => slowly(sub, seq) }),
    );
    sched.spawn('parent', device.bringHome(BASE, NR));
    sched.spawn('child', later(sched.delay(1000), sysMadvise(child, BASE, NR, MADV_DONTNEED)));
    sched.run();
  });
  expect(planted).toBeDefined();
  expect(without).toBeUndefined();
});

test('B18: madvise takes a private PMD for a present one', () => {
  const [planted, without] = caught('B18', ({ host }) => {
    host.run(sysMadvise(host.mm, BASE, NR, MADV_COLD));
  });
  expect(planted).toMatch('I32');
  expect(without).toBeUndefined();
});

function* later(wait: Task, task: Task<number>): Task {
  yield* wait;
  yield* task;
}
