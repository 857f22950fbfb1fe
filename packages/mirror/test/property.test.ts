import { EBUSY } from '@hmm/kernel';
import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import {
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  PROT_NONE,
  PROT_READ,
  sysMadvise,
  sysMprotect,
  sysMunmap,
} from '@hmm/mm';
import { cpuTranslate } from '@hmm/mm/internal';
import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmmPfnToMapOrder,
  I66,
} from '@hmm/mirror';
import { BASE, Process, RW } from './support.js';

const PAGES = 12;
/** A 2 MiB boundary inside the huge mapping. */
const HUGE = 0x1_0000_0200;
const page = fc.nat({ max: PAGES - 1 });
const span = fc.tuple(page, fc.integer({ min: 1, max: PAGES })).map(([start, pages]) => ({
  start: BASE + start,
  pages: Math.min(pages, PAGES - start),
}));
const step = fc.oneof(
  fc.record({ op: fc.constant('read' as const), page }),
  fc.record({ op: fc.constant('write' as const), page }),
  fc.record({ op: fc.constant('drop' as const), span }),
  fc.record({ op: fc.constant('protect' as const), span, prot: fc.constantFrom(PROT_NONE, PROT_READ, RW) }),
  fc.record({ op: fc.constant('unmap' as const), span }),
  fc.record({ op: fc.constant('fault' as const), span, write: fc.boolean() }),
);

/** Faults as a driver does: again, as long as something was invalidated meanwhile. */
function faultWithRetry(
  p: Process,
  start: number,
  pages: number,
  ask: number,
): { ret: number; range: HmmRange } {
  for (;;) {
    const range = p.range(start, pages, ask);
    const ret = p.fault(range);
    if (ret !== -EBUSY) return { ret, range };
  }
}

test('a success gives every page that was asked for; a snapshot says what the tables say and changes nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const p = new Process();
      p.map(BASE, PAGES);
      for (const s of steps) {
        if (s.op === 'read') p.read(BASE + s.page);
        else if (s.op === 'write') p.write(BASE + s.page, 1);
        else if (s.op === 'drop') p.run(sysMadvise(p.mm, s.span.start, s.span.pages, MADV_DONTNEED));
        else if (s.op === 'protect') p.run(sysMprotect(p.mm, s.span.start, s.span.pages, s.prot));
        else if (s.op === 'unmap') p.run(sysMunmap(p.mm, s.span.start, s.span.pages));
        else {
          const ask = HMM_PFN_REQ_FAULT | (s.write ? HMM_PFN_REQ_WRITE : 0);
          const { ret, range } = faultWithRetry(p, s.span.start, s.span.pages, ask);
          for (let i = 0; ret === 0 && i < s.span.pages; i++) {
            expect((range.hmmPfns[2 * i] ?? 0) & (ask | HMM_PFN_ERROR)).toBe(ask);
          }
        }
        const range = p.range(BASE - 1, PAGES + 2, 0);
        expect(p.fault(range)).toBe(0);
        expect(I66(p.mm, range)).toBeUndefined();
        for (let i = 0; i < PAGES + 2; i++) {
          const flags = range.hmmPfns[2 * i] ?? 0;
          if ((flags & HMM_PFN_VALID) === 0) continue;
          expect(range.hmmPfns[2 * i + 1]).toBe(cpuTranslate(p.mm, BASE - 1 + i, false));
          expect(cpuTranslate(p.mm, BASE - 1 + i, true) >= 0).toBe((flags & HMM_PFN_WRITE) !== 0);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('the order of a page is that of a mapping which is still there, however a huge one is taken apart', () => {
  let huge = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.nat({ max: 500 }), (steps, offset) => {
      const p = new Process();
      p.map(HUGE, 512);
      p.run(sysMadvise(p.mm, HUGE, 512, MADV_HUGEPAGE));
      p.write(HUGE, 1);
      const moved = (at: number): number => at - BASE + HUGE + offset;
      for (const s of steps) {
        if (s.op === 'drop') p.run(sysMadvise(p.mm, moved(s.span.start), s.span.pages, MADV_DONTNEED));
        else if (s.op === 'protect') p.run(sysMprotect(p.mm, moved(s.span.start), s.span.pages, s.prot));
        else if (s.op === 'unmap') p.run(sysMunmap(p.mm, moved(s.span.start), s.span.pages));
        const range = p.range(HUGE, 512, 0);
        expect(p.fault(range)).toBe(0);
        if (hmmPfnToMapOrder(range.hmmPfns[0] ?? 0) === 9) huge++;
        expect(I66(p.mm, range)).toBeUndefined();
      }
    }),
    { numRuns: 60 },
  );
  expect(huge).toBeGreaterThan(0);
});

test('I66 names the page whose order, or frame, is wrong', () => {
  const p = new Process();
  p.map(HUGE, 512);
  p.run(sysMadvise(p.mm, HUGE, 512, MADV_HUGEPAGE));
  p.write(HUGE, 1);
  const range = p.range(HUGE, 4, 0);
  expect(p.fault(range)).toBe(0);
  range.hmmPfns[5] = 7;
  expect(I66(p.mm, range)).toMatch('not consecutive');
  range.hmmPfns[1] = (range.hmmPfns[1] ?? 0) + 1;
  expect(I66(p.mm, range)).toMatch('is in frame');
  p.run(sysMprotect(p.mm, HUGE, 1, PROT_READ));
  expect(I66(p.mm, range)).toMatch('more than its mapping');
});
