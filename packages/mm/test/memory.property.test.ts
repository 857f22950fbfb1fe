import { Prng } from '@hmm/kernel';
import { fc } from '@hmm/config/property';
import { expect, it } from 'vitest';
import { Oracle, type Step } from './oracle.js';
import { Machine } from './support.js';

const PAGES = 24;

const page = fc.integer({ min: 0, max: PAGES - 1 });
const pages = fc.integer({ min: 1, max: 8 });
const range = { page, pages };

const small: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom('write', 'read'),
      page,
      value: fc.integer({ min: 1, max: 255 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constantFrom('map', 'unmap', 'lock', 'unlock', 'dontneed', 'free', 'pageout', 'pageout', 'pin'),
      ...range,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('protect'), ...range, prot: fc.constantFrom(0, 1, 3) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('move'), ...range, to: page }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('fork', 'exit', 'unpin') }) },
);

const program = (step: fc.Arbitrary<Step>): fc.Arbitrary<[boolean, Step][]> =>
  fc.array(fc.tuple(fc.boolean(), step), { maxLength: 60 });

function run(m: Machine, steps: readonly [boolean, Step][], failing: boolean, pages = PAGES + 8): void {
  m.kernel.sched.lockdep.enabled = true;
  const oracle = new Oracle(m, failing, pages);
  for (const [inChild, step] of [
    [false, { op: 'map', page: 0, pages: 16 } as const] as [boolean, Step],
    ...steps,
  ]) {
    const wrong = oracle.step(inChild, step);
    if (wrong !== undefined) throw new Error(`${JSON.stringify(step)}: ${wrong}`);
  }
  m.kernel.injector = undefined;
  expect(oracle.end()).toBeUndefined();
}

it('keeps every byte and every invariant over random programs of two processes', () => {
  fc.assert(
    fc.property(program(small), (steps) => {
      run(new Machine({ frames: 4096, systemFrames: 2048, swapSlots: 20 }), steps, false);
    }),
    { numRuns: 150 },
  );
});

it('stays consistent whatever allocation fails', () => {
  fc.assert(
    fc.property(program(small), fc.integer(), fc.integer({ min: 2, max: 12 }), (steps, seed, odds) => {
      const m = new Machine({ frames: 4096, systemFrames: 2048, swapSlots: 20 });
      const prng = new Prng(seed);
      m.kernel.injector = { shouldFail: () => prng.below(odds) === 0 };
      run(m, steps, true);
    }),
    { numRuns: 150 },
  );
});

it('stays consistent when memory itself is used up', () => {
  fc.assert(
    fc.property(program(small), (steps) => {
      // One block of 512 frames, of which a neighbour has taken all but a few.
      const m = new Machine({ frames: 2048, systemFrames: 1536, swapSlots: 4 });
      for (let i = 0; i < 496; i++) m.system.pages.take();
      m.system.map.refcount.fill(1, 1024, 1024 + 496);
      run(m, steps, true);
    }),
    { numRuns: 100 },
  );
});

const hugePage = fc.oneof(fc.constantFrom(0, 1, 511, 512, 513, 1023), fc.integer({ min: 0, max: 1023 }));
const hugePages = fc.constantFrom(1, 64, 511, 512, 513);

const huge: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constantFrom('write', 'read'),
      page: hugePage,
      value: fc.integer({ min: 1, max: 255 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'unmap',
        'lock',
        'unlock',
        'dontneed',
        'free',
        'pageout',
        'pin',
        'hugepage',
        'collapse',
      ),
      page: hugePage,
      pages: hugePages,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('protect'),
      page: hugePage,
      pages: hugePages,
      prot: fc.constantFrom(0, 1, 3),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('move'), page: hugePage, pages: hugePages, to: hugePage }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('fork', 'exit', 'unpin') }) },
);

it('keeps every byte and every invariant with huge pages', () => {
  fc.assert(
    fc.property(program(huge), (steps) => {
      const m = new Machine({ frames: 16384, systemFrames: 16384, swapSlots: 2048, thp: 'always' });
      run(m, [[false, { op: 'map', page: 0, pages: 1024 }], ...steps], false, 1600);
    }),
    { numRuns: 60 },
  );
});
