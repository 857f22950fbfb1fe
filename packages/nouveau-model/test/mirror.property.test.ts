import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import type { Task } from '@hmm/kernel';
import { I22, I32, I33, I34 } from '@hmm/migrate';
import {
  MADV_DONTNEED,
  PROT_READ,
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  mmput,
  sysMadvise,
  sysMprotect,
} from '@hmm/mm';
import { mirrorBroken } from './mirror.js';
import { RW, Setup } from './setup.js';

const PAGES = 6;

type Step = readonly [
  what: 'cpu write' | 'cpu read' | 'gpu write' | 'gpu read' | 'atomic' | 'bind' | 'zap' | 'protect' | 'fork',
  page: number,
  value: number,
];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom<Step[0][]>(
    'cpu write',
    'cpu read',
    'gpu write',
    'gpu read',
    'atomic',
    'bind',
    'zap',
    'protect',
    'fork',
  ),
  fc.nat(PAGES - 1),
  fc.integer({ min: 1, max: 200 }),
);

function* perform(s: Setup, base: number, [what, page, value]: Step, want: number[]): Task {
  const vpn = base + page;
  const before = want[page] ?? 0;
  switch (what) {
    case 'cpu write':
      expect(yield* cpuWriteByte(s.mm, vpn, 0, value)).toBe(0);
      want[page] = value;
      break;
    case 'cpu read':
      expect(yield* cpuReadByte(s.mm, vpn, 0)).toBe(before);
      break;
    case 'gpu write':
      expect(yield* s.launch(base, [page], 'write', value)).toMatchObject({ errno: 0 });
      want[page] = value;
      break;
    case 'gpu read':
      expect(yield* s.launch(base, [page], 'read')).toMatchObject({ errno: 0, values: [before] });
      break;
    case 'atomic':
      expect(yield* s.launch(base, [page], 'atomic', 1)).toMatchObject({ errno: 0, values: [before] });
      want[page] = (before + 1) % 256;
      break;
    case 'bind':
      expect(yield* s.process.prefetch(vpn, Math.min(value, PAGES - page), 'gpu')).toBe(0);
      break;
    case 'zap':
      yield* sysMadvise(s.mm, vpn, 1, MADV_DONTNEED);
      want[page] = 0;
      break;
    case 'protect':
      yield* sysMprotect(s.mm, vpn, 1, PROT_READ);
      expect(yield* s.launch(base, [page], 'read')).toMatchObject({ errno: 0, values: [before] });
      yield* sysMprotect(s.mm, vpn, 1, RW);
      break;
    case 'fork': {
      const child = yield* dupMm(s.mm);
      if (typeof child === 'number') throw new Error(`fork: ${child}`);
      expect(yield* cpuWriteByte(child, vpn, 0, value)).toBe(0);
      expect(yield* cpuReadByte(child, vpn, 0)).toBe(value);
      yield* mmput(child);
      break;
    }
  }
}

function* all(s: Setup, base: number, steps: readonly Step[], want: number[]): Task {
  for (const one of steps) {
    yield* perform(s, base, one, want);
    for (let page = 0; page < PAGES; page++) {
      expect(mirrorBroken(s, base + page), `after ${one.join(' ')}`).toBeUndefined();
    }
    for (const rule of [I22, I32, I33, I34]) expect(rule(s.memory), `after ${one.join(' ')}`).toBeUndefined();
  }
}

test('whatever a program does, both sides see what was written last, and the GPU maps no more than the process has', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24 }), fc.boolean(), (steps, small) => {
      const s = new Setup({ mended: 'all', ...(small ? { vramPages: 256 } : {}) });
      const base = s.malloc(PAGES);
      const want = new Array<number>(PAGES).fill(0);
      s.run(all(s, base, steps, want));
      expect(Array.from({ length: PAGES }, (_, page) => s.cpuRead(base + page))).toEqual(want);
      s.run(s.process.close());
      expect(s.client.drm.dmem?.used).toBe(0);
    }),
    { numRuns: 150, seed: 20 },
  );
});
