import { Kernel, RwSemaphore } from '@hmm/kernel';
import {
  MMU_NOTIFY_CLEAR,
  mmuIntervalNotifierInsertLocked,
  mmuIntervalSetSeq,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInit,
  type MmuIntervalNotifierOps,
  type NotifierMm,
} from '@hmm/mmu-notifier';

const ROUNDS = 1 << 20;
const BLOCK = 512;

function bareMm(): NotifierMm {
  const kernel = new Kernel();
  return {
    kernel,
    id: 1,
    mmapLock: new RwSemaphore(kernel.sched, kernel.allocIds(1), 'mmap_lock'),
    notifierSubscriptions: undefined,
    users: 1,
    usersObject: kernel.allocIds(1),
    count: 1,
    drop: () => undefined,
  };
}

const OPS: MmuIntervalNotifierOps = {
  invalidate(sub, _range, seq) {
    mmuIntervalSetSeq(sub, seq);
    return true;
  },
};

/** One-page invalidations, start and end, of an mm with `blocks` subscriptions of 2 MiB. @returns M/s. */
function invalidations(blocks: number): number {
  const mm = bareMm();
  for (let i = 0; i < blocks; i++) mmuIntervalNotifierInsertLocked(mm, i * BLOCK, BLOCK, OPS);
  const pages = Math.max(blocks, 1) * BLOCK;
  const from = performance.now();
  for (let i = 0, page = 0; i < ROUNDS; i++) {
    page = (page + 7919) % pages;
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, page, page + 1);
    mmuNotifierInvalidateRangeStart(range);
    mmuNotifierInvalidateRangeEnd(range);
  }
  return ROUNDS / (performance.now() - from) / 1000;
}

/** As many rounds of a call that tests one word. */
function bare(): number {
  const words = new Int32Array(1024);
  const test = (at: number): number => ((words[at & 1023] ?? 0) !== 0 ? 1 : 0);
  let sum = 0;
  const from = performance.now();
  for (let i = 0, page = 0; i < ROUNDS; i++) {
    page = (page + 7919) % 512;
    sum += test(page);
  }
  return sum === 0 ? ROUNDS / (performance.now() - from) / 1000 : 0;
}

export const benchmarks = [
  {
    name: 'invalidation of an mm that nobody mirrors',
    unit: 'M/s',
    run: (): { value: number; reference: number } => ({ value: invalidations(0), reference: bare() }),
  },
  {
    name: 'invalidation with one subscription, a callback without sleep',
    unit: 'M/s',
    run: (): { value: number; reference: number } => ({ value: invalidations(1), reference: bare() }),
  },
  {
    name: 'invalidation among 10,000 subscriptions',
    unit: 'M/s',
    run: (): { value: number; reference: number } => ({ value: invalidations(10_000), reference: bare() }),
  },
];
