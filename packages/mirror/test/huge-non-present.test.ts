import { EFAULT } from '@hmm/kernel';
import { LEVEL_PMD } from '@hmm/kernel/internal';
import { MEMORY_DEVICE_PRIVATE } from '@hmm/mm';
import {
  PG_head,
  PG_zone_device_private,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_MIGRATION,
  PTE_WRITE,
} from '@hmm/mm/internal';
import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToMapOrder,
  hmmRangeFault,
  I66,
} from '@hmm/mirror';
import { beforeEach, expect, test } from 'vitest';
import { flagsOf, pfnsOf, Process } from './support.js';

const OWNER = 7;
const READ = HMM_PFN_REQ_FAULT;
const WRITE = READ | HMM_PFN_REQ_WRITE;
/** A 2 MiB boundary, and the head of a folio of device memory. */
const HUGE = 0x1_0000_0200;
const HEAD = 20_480;
const FIVE = HMM_PFN_VALID | HMM_PFN_WRITE;
let p: Process;
let faulted: number[];

/** Makes the PMD of HUGE what no call of this package makes it. */
function setPmd(flags: number, pfn = HEAD): void {
  const lane = p.system.tables.make(p.mm.root, HUGE, LEVEL_PMD);
  p.system.tables.lanes[lane] = flags | PTE_HUGE;
  p.system.tables.lanes[lane + 1] = pfn;
}

beforeEach(() => {
  p = new Process();
  faulted = [];
  p.map(HUGE, 512);
  p.system.map.flags.fill(PG_zone_device_private, HEAD, HEAD + 512);
  p.system.map.set(HEAD, PG_head);
  p.system.map.refcount[HEAD] = 1;
  p.system.pagemaps.push({
    type: MEMORY_DEVICE_PRIVATE,
    start: HEAD,
    nr: 512,
    owner: OWNER,
    ops: {
      pageFree: () => undefined,
      *migrateToRam({ page, huge }) {
        faulted.push(page);
        if (huge) setPmd(PTE_PRESENT | PTE_WRITE, 4096);
        return 0;
      },
    },
    live: 512,
  });
});

test.each([
  ['writable', PTE_WRITE, FIVE],
  ['read-only', 0, HMM_PFN_VALID],
])('own private PMD, %s: order 9, as it is, even to a write request', (_name, write, flags) => {
  setPmd(PTE_TYPE_DEVICE_PRIVATE | write);
  for (const ask of [0, READ, WRITE]) {
    const range = p.range(HUGE + 100, 3, ask);
    range.devPrivateOwner = OWNER;
    expect(p.fault(range)).toBe(0);
    expect(pfnsOf(range)).toEqual([HEAD + 100, HEAD + 101, HEAD + 102]);
    expect(flagsOf(range).map(hmmPfnToMapOrder)).toEqual([9, 9, 9]);
    expect(flagsOf(range).every((word) => (word & FIVE) === flags)).toBe(true);
    expect(I66(p.mm, range)).toBeUndefined();
  }
  expect(faulted).toEqual([]);
});

test('private PMD of another owner: an error in a snapshot, unlike a PTE; faulted home as a whole for a request', () => {
  setPmd(PTE_TYPE_DEVICE_PRIVATE | PTE_WRITE);
  const snapshot = p.range(HUGE, 2, 0);
  expect([p.fault(snapshot), ...flagsOf(snapshot)]).toEqual([0, HMM_PFN_ERROR, HMM_PFN_ERROR]);
  const range = p.range(HUGE + 8, 1, READ);
  expect(p.fault(range)).toBe(0);
  expect(faulted).toEqual([HEAD]);
  expect(pfnsOf(range)).toEqual([4104]);
});

test('migration PMD: nothing in a snapshot, waited for by a request', () => {
  p.system.map.tryLock(HEAD);
  setPmd(PTE_TYPE_MIGRATION | PTE_WRITE);
  const snapshot = p.range(HUGE, 2, 0);
  expect([p.fault(snapshot), ...flagsOf(snapshot)]).toEqual([0, 0, 0]);
  const { sched } = p.kernel;
  const log: string[] = [];
  sched.spawn(
    'device',
    (function* () {
      yield* p.mm.mmapLock.read();
      const range = p.range(HUGE + 5, 1, READ);
      const done = hmmRangeFault(p.mm, range);
      log.push(`fault ${typeof done === 'number' ? done : yield* done} ${pfnsOf(range).join()}`);
    })(),
  );
  sched.spawn(
    'migration',
    (function* () {
      yield* sched.delay(5);
      setPmd(PTE_PRESENT, 4096);
      log.push('restored');
      p.system.map.unlock(HEAD);
    })(),
  );
  sched.run();
  expect(log).toEqual(['restored', 'fault 0 4101']);
});

test('a huge entry of no such kind cannot be faulted', () => {
  setPmd(0);
  const snapshot = p.range(HUGE, 1, 0);
  expect([p.fault(snapshot), ...flagsOf(snapshot)]).toEqual([0, HMM_PFN_ERROR]);
  expect(p.fault(p.range(HUGE, 1, READ))).toBe(-EFAULT);
});
