import type { Task } from '@hmm/kernel';
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
  newUserfaultfd,
  UFFDIO_REGISTER_MODE_MISSING,
  userfaultfdCopy,
  userfaultfdCtxRead,
  userfaultfdRegister,
  userfaultfdRelease,
} from '@hmm/mm/internal';
import {
  dmirrorIoctl,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_READ_UNLOCKED,
  HMM_DMIRROR_FLAG_FAIL_ALLOC,
  HMM_DMIRROR_FLAGS,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_SNAPSHOT,
  type Dmirror,
} from '@hmm/test-device';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  firstDifference,
  KINDS,
  mirrorOf,
  PAGE_SIZE,
  PROT_READ,
  same,
  TestMachine,
  type TestProcess,
  TWOMEG,
  type Word,
} from './harness.js';

// The tests of huge device memory that the kernel has in 7.3, as it runs them.
describe.each(KINDS)('Linux 7.3: hmm.$variant', ({ coherent, device }) => {
  let p: TestProcess;
  let fd: Dmirror;
  beforeEach(() => {
    p = new TestMachine('7.3').process;
    fd = p.open(device);
  });

  const toDevice = (ptr: number, pages: number, value: Word): void => {
    const mirror = mirrorOf(pages, () => -1);
    const { rc, cpages } = p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_DEV, ptr, pages, mirror);
    expect([rc, cpages]).toEqual([0, pages]);
    expect(firstDifference(mirror, value)).toBe(-1);
  };
  const failNextAllocation = (ptr: number): void => {
    expect(p.cmd(fd, HMM_DMIRROR_FLAGS, ptr, HMM_DMIRROR_FLAG_FAIL_ALLOC, mirrorOf(1)).rc).toBe(0);
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
      expect(m.every((byte) => byte === 0x26)).toBe(true);
      for (let i = 0; i < TWOMEG; i++)
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
      const after = (hole + TWOMEG / 2) * 1024;
      if (hole > 0) expect(p.check(ptr, hole, same)).toBe(-1);
      const rest = TWOMEG / 2 - hole;
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
        toDevice(before ? target : ptr, TWOMEG, same);
        if (!before) remap();
        expect(p.check(target, TWOMEG, same)).toBe(-1);
        expect(p.unmap(target, TWOMEG)).toBe(0);
      },
    );
  });

  test('migrate_anon_huge_err', () => {
    const ptr = p.mapHuge();
    p.fill(ptr, TWOMEG, same);
    failNextAllocation(ptr);
    toDevice(ptr, TWOMEG, same);
    expect(p.load(ptr + 2)).toBe(2048);
    expect(p.unmap(ptr, TWOMEG)).toBe(0);
    const again = p.mapHuge();
    p.fill(again, TWOMEG, same);
    toDevice(again, TWOMEG, same);
    failNextAllocation(again);
    // Coherent memory came in single pages: the first that cannot be had ends the call, as the driver reads.
    expect(p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_SYS, again, TWOMEG, mirrorOf(TWOMEG)).rc).toBe(
      coherent ? -12 : 0,
    );
    expect(p.load(again + 2)).toBe(2048);
  });

  test('migrate_anon_huge_zero_err', () => {
    const ptr = p.mapHuge(TWOMEG, PROT_READ);
    failNextAllocation(ptr);
    toDevice(ptr, TWOMEG, () => 0);
    expect(p.load(ptr + 2)).toBe(0);
    expect(p.unmap(ptr, TWOMEG)).toBe(0);
    const again = p.mapHuge(TWOMEG, PROT_READ);
    expect(p.load(again)).toBe(0);
    failNextAllocation(again);
    toDevice(again, TWOMEG, () => 0);
    expect(p.check(again, TWOMEG, () => 0)).toBe(-1);
  });

  test('userfaultfd_read', () => {
    const ptr = p.map(4);
    const uffd = newUserfaultfd(p.mm);
    expect(p.run(userfaultfdRegister(uffd, ptr, 4, UFFDIO_REGISTER_MODE_MISSING))).toBe(0);
    const mirror = mirrorOf(4);
    const cmd = { addr: ptr * PAGE_SIZE, ptr: mirror, npages: 4, cpages: -1, faults: -1 };
    const { sched } = p.machine.kernel;
    const served: number[] = [];
    let rc = -1;
    sched.spawn(
      'handler',
      (function* (): Task {
        for (;;) {
          const fault = yield* userfaultfdCtxRead(uffd);
          if (fault === undefined) return;
          served.push(fault.vpn - ptr);
          expect(yield* userfaultfdCopy(uffd, fault.vpn, 1, new Uint8Array(PAGE_SIZE).fill(0xab))).toBe(0);
        }
      })(),
    );
    sched.spawn(
      'reader',
      (function* (): Task {
        rc = yield* dmirrorIoctl(fd, HMM_DMIRROR_READ_UNLOCKED, cmd);
        yield* userfaultfdRelease(uffd);
      })(),
    );
    sched.run();
    expect([rc, cmd.cpages]).toEqual([0, 4]);
    expect(served).toEqual([0, 1, 2, 3]);
    expect(mirror.every((byte) => byte === 0xab)).toBe(true);
  });

  test('a READ holds mmap_lock, so a userfaultfd cannot serve it', () => {
    const ptr = p.map(4);
    const uffd = newUserfaultfd(p.mm);
    p.run(userfaultfdRegister(uffd, ptr, 4, UFFDIO_REGISTER_MODE_MISSING));
    expect(p.cmd(fd, HMM_DMIRROR_READ, ptr, 4, mirrorOf(4)).rc).toBe(-14);
    expect(uffd.pending).toEqual([]);
  });
});
