import { HmmError, type Task } from '@hmm/kernel';
import { MADV_COLD, MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, sysMadvise, sysMunmap } from '@hmm/mm';
import { type MmuIntervalNotifier, mmuIntervalNotifierInsert, mmuIntervalSetSeq } from '@hmm/mmu-notifier';
// @boundaries-ignore the driver of huge pages is what the tests of migrate have
import { BASE } from '../../../packages/migrate/test/support.js';
// @boundaries-ignore the driver of huge pages is what the tests of migrate have
import { HugeDriver, HugeHost } from '../../../packages/migrate/test/support-huge.js';

// Scenarios of device-private huge pages, which no litmus test can have as the test device has none.

const NR = 512;

/** A process with two huge pages, of which the first is on a device that keeps it as one. */
class HugeOnDevice {
  readonly host = new HugeHost();
  readonly device = new HugeDriver(this.host);

  constructor() {
    this.host.map(BASE, 2 * NR);
    this.host.run(sysMadvise(this.host.mm, BASE, NR, MADV_HUGEPAGE));
    for (let i = 0; i < NR; i++) this.host.write(BASE + i, 1 + (i % 200));
    this.device.toDevice(BASE, NR);
  }
}

/** What is broken after `steps`: an invariant, or a rule that the model itself refuses to break. */
function broken(steps: (state: HugeOnDevice) => void): string | undefined {
  const state = new HugeOnDevice();
  try {
    steps(state);
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return (state.host.broken() ?? state.device.broken[0])?.replace(/:.*/s, '');
}

/** A range whose huge page was freed is used again for a single page. */
function orderOfReusedFolio({ host, device }: HugeOnDevice): void {
  host.run(sysMunmap(host.mm, BASE, NR));
  host.run(sysMadvise(host.mm, BASE + NR, NR, MADV_NOHUGEPAGE));
  host.write(BASE + NR, 3);
  device.smallDevice = true;
  device.toDevice(BASE + NR, 1);
}

/** A huge page goes home while system memory has single pages only. */
function splitOfUnmappedFolio({ device }: HugeOnDevice): void {
  device.smallSystem = true;
  device.toSystem(BASE, NR);
}

/** The child of a fork drops the huge page while the callbacks for its migration run. */
function pmdChangesUnderCallbacks({ host, device }: HugeOnDevice): void {
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
}

/** MADV_COLD over a huge page that is on the device. */
function madviseCold({ host }: HugeOnDevice): void {
  host.run(sysMadvise(host.mm, BASE, NR, MADV_COLD));
}

function* later(wait: Task, task: Task<number>): Task {
  yield* wait;
  yield* task;
}

/** By name: what is broken afterwards, undefined when all holds. */
export const hugeScenarios: ReadonlyMap<string, () => string | undefined> = new Map([
  ['huge-order-of-reused-folio', (): string | undefined => broken(orderOfReusedFolio)],
  ['huge-split-of-unmapped-folio', (): string | undefined => broken(splitOfUnmappedFolio)],
  ['huge-pmd-changes-under-callbacks', (): string | undefined => broken(pmdChangesUnderCallbacks)],
  ['huge-madvise-cold', (): string | undefined => broken(madviseCold)],
]);
