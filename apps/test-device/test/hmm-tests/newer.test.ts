import { ENOENT } from '@hmm/kernel';
import {
  MADV_COLLAPSE,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PM_PRESENT,
  PM_SWAP,
  pagemapEntry,
  sysMremap,
} from '@hmm/mm';
import {
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
  type Dmirror,
} from '@hmm/test-device';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  firstDifference,
  KINDS,
  mirrorOf,
  negative,
  NPAGES,
  PROT_READ,
  same,
  TestMachine,
  type TestProcess,
  TWOMEG,
  type Word,
} from './harness.js';

// Tests that the kernel got after 6.12, as far as 6.12 can run them: it splits huge pages where newer kernels migrate
// them whole, so that the data are the same and the order of a mapping is not.
describe.each(KINDS)('hmm.$variant', ({ coherent, device }) => {
  let p: TestProcess;
  let fd: Dmirror;
  beforeEach(() => {
    p = new TestMachine().process;
    fd = p.open(device);
  });

  const toDevice = (ptr: number, pages: number, value: Word): void => {
    const mirror = mirrorOf(pages, () => -1);
    const { rc, cpages } = p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_DEV, ptr, pages, mirror);
    expect([rc, cpages]).toEqual([0, pages]);
    expect(firstDifference(mirror, value)).toBe(-1);
  };

  test('migrate_anon_huge_empty', () => {
    toDevice(p.mapHuge(TWOMEG, PROT_READ), TWOMEG, () => 0);
  });

  test('migrate_anon_huge_zero', () => {
    const ptr = p.mapHuge(TWOMEG, PROT_READ);
    expect(p.load(ptr)).toBe(0);
    toDevice(ptr, TWOMEG, () => 0);
    expect(p.check(ptr, TWOMEG, () => 0)).toBe(-1);
  });

  test('migrate_anon_huge_free', () => {
    const ptr = p.mapHuge();
    p.fill(ptr, TWOMEG, same);
    toDevice(ptr, TWOMEG, same);
    expect(p.madvise(ptr, TWOMEG, MADV_FREE)).toBe(0);
    expect(p.unmap(ptr, TWOMEG)).toBe(0);
  });

  test('migrate_anon_huge_fault', () => {
    const start = p.map(2 * TWOMEG);
    const ptr = Math.ceil(start / TWOMEG) * TWOMEG;
    p.fill(ptr, TWOMEG, same);
    expect(p.madvise(ptr, TWOMEG, MADV_COLLAPSE)).toBe(0);
    toDevice(ptr, TWOMEG, same);
    if (!coherent) {
      const m = new Uint8Array(TWOMEG);
      p.cmd(fd, HMM_DMIRROR_SNAPSHOT, ptr, TWOMEG, m);
      expect(m.slice(1).every((byte) => byte === 0x22)).toBe(true);
      for (let i = 1; i < TWOMEG; i++)
        expect(pagemapEntry(p.mm, ptr + i) & (PM_PRESENT | PM_SWAP)).toBe(PM_SWAP);
    }
    expect(p.check(ptr, TWOMEG, same)).toBe(-1);
  });

  describe.each([true, false])('huge pages: %s', (huge) => {
    const advice = huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;

    test.each([0, TWOMEG / 4, TWOMEG / 2])('migrate_partial_unmap_fault, hole at %i', (hole) => {
      const ptr = p.mapHuge(TWOMEG, 3, advice);
      p.fill(ptr, TWOMEG, same);
      toDevice(ptr, TWOMEG, same);
      expect(p.unmap(ptr + hole, TWOMEG / 2)).toBe(0);
      const wordsBefore = hole * 1024;
      if (hole > 0) expect(p.check(ptr, hole, same)).toBe(-1);
      const rest = TWOMEG / 2 - hole;
      const after = wordsBefore + (TWOMEG / 2) * 1024;
      if (rest > 0) expect(p.check(ptr + hole + TWOMEG / 2, rest, (i) => i + after)).toBe(-1);
    });

    const remaps = [true, false].flatMap((before) =>
      [true, false].flatMap((keep) =>
        [0, TWOMEG / 4, TWOMEG / 2].map((offset) => ({ before, keep, offset })),
      ),
    );
    test.each(remaps)(
      'migrate_remap_fault, before: $before, keep: $keep, offset: $offset',
      ({ before, keep, offset }) => {
        const start = p.map(8 * TWOMEG);
        const ptr = Math.ceil(start / TWOMEG) * TWOMEG;
        p.madvise(ptr, TWOMEG, advice);
        p.unmap(ptr + TWOMEG, 2 * TWOMEG);
        p.fill(ptr, TWOMEG, same);
        const target = ptr + TWOMEG + offset;
        const remap = (): void => {
          const flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0);
          expect(p.run(sysMremap(p.mm, ptr, TWOMEG, TWOMEG, flags, target))).toBe(target);
        };
        if (before) remap();
        if (huge && before && offset !== 0) {
          // Split by the move, but still one folio: 6.12 leaves large folios that are mapped by pages where they are.
          const { rc } = p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_DEV, target, TWOMEG, mirrorOf(TWOMEG));
          expect(rc).toBe(-ENOENT);
        } else toDevice(before ? target : ptr, TWOMEG, same);
        if (!before) remap();
        expect(p.check(target, TWOMEG, same)).toBe(-1);
        expect(p.unmap(target, TWOMEG)).toBe(0);
      },
    );
  });

  const children = [true, false].flatMap((migrate) => [true, false].map((huge) => ({ migrate, huge })));
  test.each(children)('anon_write_child, migrate: $migrate, huge: $huge', ({ migrate, huge }) => {
    const pages = huge ? TWOMEG : NPAGES;
    const ptr = huge ? p.mapHuge() : p.map(pages);
    p.fill(ptr, pages, same);
    if (migrate) toDevice(ptr, pages, same);
    const child = p.fork();
    expect(child.check(ptr, pages, same)).toBe(-1);
    const childFd = child.open(0);
    const result = child.cmd(childFd, HMM_DMIRROR_WRITE, ptr, pages, mirrorOf(pages, negative));
    expect(result).toEqual({ rc: 0, cpages: pages, faults: 1 });
    expect(child.check(ptr, pages, negative)).toBe(-1);
    child.close(childFd);
    child.exit();
    expect(p.check(ptr, pages, same)).toBe(-1);
  });
});
