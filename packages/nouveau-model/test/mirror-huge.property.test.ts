import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import { migrateInvariants } from '@hmm/migrate';
import {
  checkMm,
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_DONTNEED,
  mmput,
  type MmStruct,
  PROT_READ,
  sysMadvise,
  sysMprotect,
} from '@hmm/mm';
import { mirrorBroken } from './mirror.js';
import { RW, Setup } from './setup.js';

const NR = 512;
/** A 2 MiB boundary. */
const AT = 0x100000;
const PAGES = 2 * NR;
/** Pages whose contents are followed. */
const WATCHED = [0, 1, 99, 100, 511, 512, 700, 1023];
const PARTS = [
  [0, PAGES],
  [0, NR],
  [NR, NR],
  [0, 100],
  [99, 700],
  [511, 1],
] as const;
const STEPS = [
  'cpu write',
  'cpu read',
  'gpu write',
  'gpu read',
  'bind',
  'zap',
  'protect',
  'fork',
  'child write',
  'child exits',
  'no huge pages',
] as const;

const step = fc.record({
  what: fc.constantFrom(...STEPS),
  page: fc.constantFrom(...WATCHED),
  part: fc.constantFrom(...PARTS),
  value: fc.integer({ min: 1, max: 200 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A program on nouveau of 6.19 beside what its pages should hold. */
class Program {
  readonly s = new Setup({ release: '6.19', mended: 'all', vramPages: 2 * 65536 }, 'p100', 'always');
  readonly want = new Map<number, number>(WATCHED.map((page) => [page, 0]));
  child: MmStruct | undefined;
  private scarce = false;

  constructor() {
    this.s.malloc(PAGES, AT);
    this.s.kernel.injector = { shouldFail: (site) => this.scarce && site === 'alloc_huge_page' };
  }

  perform({ what, page, part, value }: Step): void {
    const { s, want } = this;
    const before = want.get(page) ?? 0;
    const [from, pages] = part;
    switch (what) {
      case 'cpu write':
        expect(s.run(cpuWriteByte(s.mm, AT + page, 0, value))).toBe(0);
        want.set(page, value);
        break;
      case 'cpu read':
        expect(s.run(cpuReadByte(s.mm, AT + page, 0))).toBe(before);
        break;
      case 'gpu write':
        expect(s.gpu(AT, [page], 'write', value)).toMatchObject({ errno: 0 });
        want.set(page, value);
        break;
      case 'gpu read':
        expect(s.gpu(AT, [page])).toMatchObject({ errno: 0, values: [before] });
        break;
      case 'bind':
        expect(s.run(s.process.prefetch(AT + from, pages, 'gpu'))).toBe(0);
        break;
      case 'zap':
        s.run(sysMadvise(s.mm, AT + from, pages, MADV_DONTNEED));
        for (const at of WATCHED) if (at >= from && at < from + pages) want.set(at, 0);
        break;
      case 'protect':
        s.run(sysMprotect(s.mm, AT + from, pages, PROT_READ));
        expect(s.gpu(AT, [page])).toMatchObject({ errno: 0, values: [before] });
        s.run(sysMprotect(s.mm, AT + from, pages, RW));
        break;
      case 'fork':
        this.exit();
        this.child = s.run(dupMm(s.mm)) as MmStruct;
        break;
      case 'child write':
        if (this.child !== undefined) s.run(cpuWriteByte(this.child, AT + page, 0, 255));
        break;
      case 'child exits':
        this.exit();
        break;
      case 'no huge pages':
        this.scarce = value % 2 === 0;
        break;
    }
  }

  exit(): void {
    if (this.child !== undefined) this.s.run(mmput(this.child));
    this.child = undefined;
  }

  check(after: string): void {
    const { memory } = this.s;
    for (const page of WATCHED) expect(mirrorBroken(this.s, AT + page), after).toBeUndefined();
    expect(checkMm(memory), after).toBeUndefined();
    for (const [name, rule] of Object.entries(migrateInvariants))
      expect(rule(memory), `${name} ${after}`).toBeUndefined();
  }

  end(): void {
    const { s, want } = this;
    this.scarce = false;
    this.exit();
    expect(WATCHED.map((page) => s.cpuRead(AT + page))).toEqual([...want.values()]);
    s.run(s.process.close());
    expect(s.client.drm.dmem?.used).toBe(0);
  }
}

test('with huge pages in device memory both sides see what was written last, and the GPU maps no more than the process has', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 16 }), (steps) => {
      const program = new Program();
      for (const one of steps) {
        program.perform(one);
        program.check(`after ${one.what} of ${one.part.join('+')} / ${one.page}`);
      }
      program.end();
    }),
    { numRuns: 40, seed: 619 },
  );
}, 120_000);
