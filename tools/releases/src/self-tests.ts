import { HmmError, type Release } from '@hmm/kernel';
import { passesOfMunmap } from './two-pass-test.js';
import { ConformReplay } from '@hmm/test-device/conform';

/**
 * A script like the recorded ones for a behaviour that they don't show: what its last operation shows where a release has the
 * behaviour, and where it has not.
 */
export interface SelfTest {
  readonly name: string;
  readonly behaviour: string;
  /** Releases on which the rest of the machine lets it show. */
  readonly on: readonly Release[];
  /** Operations as recordings have them, `child: ` in front of those that the child of a fork runs; or what does without a device. */
  readonly operations: readonly string[] | ((release: Release, flipped: readonly string[]) => object);
  readonly has: object;
  readonly lacks: object;
}

const START = ['mmap 0 4 rw anon', 'dopen 0'];
const HUGE = ['mmap 0 1024 rw anon', 'dopen 0', 'madvise 0 0 1024 hugepage'];
const BOTH: readonly Release[] = ['6.12', '7.3'];

export const SELF_TESTS: readonly SelfTest[] = [
  {
    name: 'a part of a huge page is written when the child is gone',
    behaviour: 'reusesPartsOfLargeFolios',
    on: BOTH,
    operations: [...HUGE, 'cw 0 0 512 1', 'madvise 0 100 1 dontneed', 'fork', 'wait', 'cw 0 5 1 9'],
    has: { sig: [] },
    lacks: { sig: [], inv: [['CLEAR', 0, 0, 5, 1]] },
  },
  {
    name: 'a write to a page that is shared and in the batch of new pages leaves the other batches alone',
    behaviour: 'cowCountsBatch',
    on: ['7.3'],
    operations: [
      ...START,
      'cw 0 0 1 1',
      'fork',
      'madvise 0 0 1 free',
      'wait',
      'cw 0 2 1 2',
      'fork',
      'cw 0 2 1 3',
      'wait',
      'cw 0 0 1 4',
    ],
    has: { sig: [], inv: [['CLEAR', 0, 0, 0, 1]] },
    lacks: { sig: [] },
  },
  {
    name: 'a swapped page whose other user is gone is read',
    behaviour: 'swapinThroughCache',
    on: BOTH,
    operations: [...START, 'cw 0 0 1 5', 'madvise 0 0 1 pageout', 'fork', 'wait', 'cr 0 0 1', 'snap 0 0 0 1'],
    has: { rc: 0, cpages: 1, faults: 0, v: [1] },
    lacks: { rc: 0, cpages: 1, faults: 0, v: [2] },
  },
  {
    name: 'a swapped page that the child had read is read when the child is gone',
    behaviour: 'swapinOwnIfMarked',
    on: ['7.3'],
    operations: [
      ...START,
      'cw 0 0 2 5',
      'madvise 0 0 1 pageout',
      'fork',
      'child: cr 0 0 1',
      'madvise 0 3 1 pageout',
      'wait',
      'cr 0 0 1',
      'snap 0 0 0 1',
    ],
    has: { rc: 0, cpages: 1, faults: 0, v: [1] },
    lacks: { rc: 0, cpages: 1, faults: 0, v: [2] },
  },
  {
    name: 'a page that the child had swapped in is written while another one waits to be lazily freed',
    behaviour: 'swapinDrainsLru',
    on: BOTH,
    operations: [
      'mmap 0 64 rw anon',
      'dopen 0',
      'cw 0 0 1 1',
      ...[10, 20, 30, 40, 50, 60].map((page) => `cw 0 ${page} 1 2`),
      'madvise 0 10 51 pageout',
      'fork',
      'child: madvise 0 0 1 dontneed',
      // The windows of the older releases' read-ahead get shorter, until a page comes alone and stays in the batch of new ones.
      ...[20, 50, 30, 60].map((page) => `child: cr 0 ${page} 1`),
      'madvise 0 0 1 free',
      'child: cr 0 10 1',
      'cw 0 10 1 9',
      'cw 0 0 1 4',
    ],
    has: { sig: [] },
    lacks: { sig: [], inv: [['CLEAR', 0, 0, 0, 1]] },
  },
  {
    name: 'a frame that was dirty holds a page that nobody has written to since, which is lazily freed',
    behaviour: 'deviceInitClearsFlags',
    on: BOTH,
    operations: [
      'mmap 0 8 rw anon',
      'dopen 0',
      'cw 0 0 1 5',
      'todev 0 0 0 1',
      'madvise 0 0 1 dontneed',
      'todev 0 0 4 1',
      'dwrite 0 0 4 1 7',
      'cr 0 4 1',
      'fork',
      'madvise 0 4 1 free',
      'wait',
      'madvise 0 4 1 pageout',
      'cr 0 4 1',
    ],
    has: { v: [0] },
    lacks: { v: [7] },
  },
  {
    name: 'a VMA with pages comes to look like the one before it, which has none',
    behaviour: 'mergesIntoUnfaulted',
    on: BOTH,
    operations: [
      'mmap 0 8 rw anon',
      'dopen 0',
      'madvise 0 0 4 hugepage',
      'cw 0 4 1 1',
      'madvise 0 4 4 hugepage',
      'mprotect 0 0 8 r',
    ],
    has: { rc: 0, inv: [['PROTECTION_VMA', 0, 0, 0, 8]] },
    lacks: {
      rc: 0,
      inv: [
        ['PROTECTION_VMA', 0, 0, 0, 4],
        ['PROTECTION_VMA', 0, 0, 4, 4],
      ],
    },
  },
  {
    name: 'a child exits while a page waits to be lazily freed',
    behaviour: 'unmapDrainsLru',
    on: BOTH,
    operations: [...START, 'cw 0 0 1 1', 'fork', 'madvise 0 0 1 free', 'wait', 'cw 0 0 1 4'],
    has: { sig: [] },
    lacks: { sig: [], inv: [['CLEAR', 0, 0, 0, 1]] },
  },
  {
    name: 'coherent pages of two VMAs are let go of, the last one exclusive',
    behaviour: 'gathersWholeMadvise',
    on: BOTH,
    operations: [
      'mmap 0 4 rw anon',
      'dopen 2',
      'cw 0 0 4 1',
      'todev 2 0 0 4',
      'madvise 0 2 2 nohugepage',
      'excl 2 0 3 1',
      'madvise 0 0 4 dontneed',
      'cw 0 0 4 1',
      'todev 2 0 0 4',
      'drelease 2 0 0 1',
    ],
    has: cleared([3, 0, 1, 2]),
    lacks: cleared([1, 0, 2, 3]),
  },
  {
    name: 'a lazily freed page is reclaimed twice, the first time while it is pinned',
    behaviour: 'lazyfreeInUseStaysFree',
    on: BOTH,
    operations: [
      ...START,
      'cw 0 0 1 5',
      'pin 0 0 1 0',
      'madvise 0 0 1 free',
      'madvise 0 0 1 pageout',
      'unpin',
      'madvise 0 0 1 pageout',
      'cr 0 0 1',
    ],
    has: { v: [0] },
    lacks: { v: [5] },
  },
  {
    name: "a device reads another one's page, which cannot come home",
    behaviour: 'hmmReportsOom',
    on: ['7.3'],
    operations: [...START, 'dopen 1', 'cw 0 0 1 5', 'todev 0 0 0 1', 'dflags 0 0 0 1', 'dread 1 0 0 1'],
    has: { rc: -12, cpages: 0, faults: 0, inv: [['MIGRATE', 0, 0, 0, 1]] },
    lacks: { rc: -14, cpages: 0, faults: 0, inv: [['MIGRATE', 0, 0, 0, 1]] },
  },
  {
    name: 'the CPU reads from a huge private page that cannot come home whole',
    behaviour: 'fallbackRefusesFault',
    on: ['7.3'],
    operations: [...HUGE, 'todev 0 0 0 512', 'dflags 0 0 0 1', 'cr 0 0 1'],
    has: {
      v: [0],
      inv: [
        ['MIGRATE', 0, 0, 0, 512],
        ['CLEAR', 0, 0, 0, 512],
        ['MIGRATE', 0, 0, 0, 1],
        ['CLEAR', 0, 0, 0, 512],
      ],
    },
    lacks: {
      v: [0],
      inv: [
        ['MIGRATE', 0, 0, 0, 512],
        ['CLEAR', 0, 0, 0, 512],
      ],
    },
  },
  {
    name: 'a huge device folio that two processes map comes home as single pages',
    behaviour: 'fallbackSplitsOwnPmd',
    on: ['7.3'],
    operations: [...HUGE, 'todev 0 0 0 512', 'fork', 'dflags 0 0 0 1', 'tosys 0 0 0 512'],
    has: { error: 'HUGE_ENTRY_OF_PAGE' },
    lacks: {
      rc: 0,
      cpages: 512,
      faults: 0,
      inv: [
        ['MIGRATE', 0, 0, 0, 512],
        ['CLEAR', 0, 0, 0, 512],
        ['CLEAR', 0, 0, 0, 512],
      ],
    },
  },
  {
    name: 'two devices whose notifiers have two passes lose a range',
    behaviour: 'twoPassNotifiers',
    on: BOTH,
    operations: passesOfMunmap,
    has: { seen: ['one begins', 'other begins', 'one has let go', 'other has let go'] },
    lacks: { error: 'NO_TWO_PASSES' },
  },
  {
    name: 'a page is guarded, and a device reads it',
    behaviour: 'guardMarkers',
    on: BOTH,
    operations: [...START, 'cw 0 0 4 1', 'madvise 0 1 1 guard_install', 'dread 0 0 1 1'],
    has: { rc: -14, cpages: 0, faults: 0 },
    lacks: { rc: 0, cpages: 1, faults: 1, v: [2] },
  },
  {
    name: 'a device is released in which a huge folio was split',
    behaviour: 'releaseAfterSplitDies',
    on: ['7.3'],
    operations: [...HUGE, 'todev 0 0 0 512', 'tosys 0 0 8 504', 'drelease 0 0 0 1'],
    has: { error: 'MACHINE_RESET' },
    lacks: cleared([0, 1, 2, 3, 4, 5, 6, 7]),
  },
];

/** The CLEARs that the release of a device shows, for these pages. */
function cleared(order: readonly number[]): object {
  return { rc: 0, cpages: 0, faults: 0, inv: order.map((page) => ['CLEAR', 0, 0, page, 1]) };
}

/** What the last operation of a self-test shows on a release, some behaviours of which are flipped. */
export function observe(test: SelfTest, release: Release, flipped: readonly string[]): object {
  if (typeof test.operations === 'function') return test.operations(release, flipped);
  const replay = new ConformReplay({ release, flipped });
  const lines = test.operations.map((text) =>
    text.startsWith('child: ') ? { p: 1, op: text.slice('child: '.length) } : { p: 0, op: text },
  );
  replay.observe(
    JSON.stringify({ script: test.name, family: 'self-test', ops: lines.length, judged: false }),
  );
  let shown: object = {};
  try {
    for (const line of lines) shown = replay.observe(JSON.stringify(line)) ?? {};
  } catch (error) {
    if (!(error instanceof HmmError)) throw error;
    return { error: error.code };
  }
  return shown;
}

/** Whether a self-test holds on a release of which `flipped` are the other way round. */
export function holds(test: SelfTest, has: boolean, release: Release, flipped: readonly string[]): boolean {
  return JSON.stringify(observe(test, release, flipped)) === JSON.stringify(has ? test.has : test.lacks);
}
