import {
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mmput,
  type MmStruct,
  PROT_READ,
  sysMadvise,
  sysMprotect,
  sysMremap,
} from '@hmm/mm';
import { findVmaIntersection } from '@hmm/mm/internal';
import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import { BASE, RW } from './support.js';
import { HugeDriver, HugeHost } from './support-huge.js';

const NR = 512;
const PAGES = 2 * NR;
/** Pages whose contents are followed: the ends of both huge pages, and where parts begin. */
const WATCHED = [0, 1, 100, 255, 256, 511, 512, 513, 700, 1023];
const PARTS = [
  [0, NR],
  [NR, NR],
  [0, PAGES],
  [0, 100],
  [100, 156],
  [256, 700],
  [511, 2],
] as const;

const STEPS = [
  'write',
  'read',
  'to device',
  'home',
  'dontneed',
  'pageout',
  'free',
  'protect',
  'unprotect',
  'fork',
  'child write',
  'child exits',
  'there and back',
  'scarce here',
  'scarce there',
] as const;

interface Step {
  readonly what: (typeof STEPS)[number];
  readonly page: number;
  readonly part: readonly [number, number];
  readonly value: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom(...STEPS),
  page: fc.constantFrom(...WATCHED),
  part: fc.constantFrom(...PARTS),
  value: fc.integer({ min: 1, max: 255 }),
});

/** A process, and in another one its fork, beside what their watched pages should hold. */
class World {
  readonly host = new HugeHost();
  readonly device = new HugeDriver(this.host, 6 * NR);
  readonly want = new Map<number, number>(WATCHED.map((page) => [page, 0]));
  child: { readonly mm: MmStruct; readonly want: Map<number, number> } | undefined;

  constructor() {
    this.host.map(BASE, PAGES);
    this.host.run(sysMadvise(this.host.mm, BASE, PAGES, MADV_HUGEPAGE));
  }

  /** Calls `each` for the part of each VMA in `part`. */
  private overVmas(
    [from, pages]: readonly [number, number],
    each: (start: number, pages: number) => void,
  ): void {
    for (let at = BASE + from; at < BASE + from + pages;) {
      const vma = findVmaIntersection(this.host.mm, at, BASE + from + pages);
      if (vma === undefined) return;
      const end = Math.min(vma.end, BASE + from + pages);
      each(Math.max(at, vma.start), end - Math.max(at, vma.start));
      at = end;
    }
  }

  private zeroed([from, pages]: readonly [number, number]): void {
    for (const page of WATCHED) if (page >= from && page < from + pages) this.want.set(page, 0);
  }

  perform({ what, page, part, value }: Step): void {
    const { host, device } = this;
    const { mm } = host;
    const [from, pages] = part;
    switch (what) {
      case 'write':
        if (host.run(cpuWriteByte(mm, BASE + page, 0, value)) === 0) this.want.set(page, value);
        break;
      case 'read':
        expect(host.read(BASE + page)).toBe(this.want.get(page));
        break;
      case 'to device':
        this.overVmas(part, (start, count) => device.toDevice(start, count));
        break;
      case 'home':
        this.overVmas(part, (start, count) => device.toSystem(start, count));
        break;
      case 'dontneed':
        host.run(sysMadvise(mm, BASE + from, pages, MADV_DONTNEED));
        this.zeroed(part);
        break;
      case 'pageout':
        host.run(sysMadvise(mm, BASE + from, pages, MADV_PAGEOUT));
        break;
      case 'free':
        // What is lazily freed may be gone or not: here it goes.
        host.run(sysMadvise(mm, BASE + from, pages, MADV_FREE));
        this.check('after free');
        host.run(sysMadvise(mm, BASE + from, pages, MADV_DONTNEED));
        this.zeroed(part);
        break;
      case 'protect':
        host.run(sysMprotect(mm, BASE + from, pages, PROT_READ));
        break;
      case 'unprotect':
        host.run(sysMprotect(mm, BASE, PAGES, RW));
        break;
      case 'fork':
        this.fork();
        break;
      case 'child write':
        if (this.child !== undefined && host.run(cpuWriteByte(this.child.mm, BASE + page, 0, value)) === 0)
          this.child.want.set(page, value);
        break;
      case 'child exits':
        this.exit();
        break;
      case 'there and back':
        this.thereAndBack(from, pages);
        break;
      case 'scarce here':
        device.smallSystem = value % 2 === 0;
        break;
      case 'scarce there':
        device.smallDevice = value % 2 === 0;
        break;
    }
  }

  private fork(): void {
    this.exit();
    const mm = this.host.run(dupMm(this.host.mm));
    if (typeof mm === 'number') throw new Error(`fork: ${mm}`);
    this.child = { mm, want: new Map(this.want) };
  }

  exit(): void {
    if (this.child !== undefined) this.host.run(mmput(this.child.mm));
    this.child = undefined;
  }

  /** Moves a part to another alignment and home again. */
  private thereAndBack(from: number, pages: number): void {
    const { host } = this;
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    const away = BASE + 8 * NR + 37;
    if (host.run(sysMremap(host.mm, BASE + from, pages, pages, flags, away)) < 0) return;
    expect(host.run(sysMremap(host.mm, away, pages, pages, flags, BASE + from))).toBe(BASE + from);
  }

  check(after: string): void {
    expect(this.host.broken(), after).toBeUndefined();
    expect(this.device.broken, after).toEqual([]);
  }

  /** What both processes read in the end. */
  values(): [mine: number[], childs: number[]] {
    const { host, child } = this;
    const read = (mm: MmStruct): number[] => WATCHED.map((page) => host.run(cpuReadByte(mm, BASE + page, 0)));
    return [read(host.mm), child === undefined ? [] : read(child.mm)];
  }
}

test('whatever happens to huge pages, data and invariants hold, and no device page is lost', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const world = new World();
      for (const one of steps) {
        world.perform(one);
        world.check(`after ${one.what} of ${one.part.join('+')} / ${one.page}`);
      }
      const [mine, childs] = world.values();
      expect(mine).toEqual([...world.want.values()]);
      expect(childs).toEqual([...(world.child?.want.values() ?? [])]);
      world.exit();
      world.host.run(sysMadvise(world.host.mm, BASE, PAGES, MADV_DONTNEED));
      expect(world.device.pgmap.live).toBe(0);
      expect(world.device.free.length + NR * world.device.freeFolios.length).toBe(6 * NR);
    }),
    { numRuns: 120, seed: 619 },
  );
}, 120_000);
