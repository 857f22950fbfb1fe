import { EPERM } from '@hmm/kernel';
import {
  HMM_DMIRROR_CHECK_EXCLUSIVE,
  HMM_DMIRROR_EXCLUSIVE,
  HMM_DMIRROR_WRITE,
  type Dmirror,
} from '@hmm/test-device';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  firstDifference,
  mirrorOf,
  NPAGES,
  PROT_READ,
  same,
  TestMachine,
  type TestProcess,
  VARIANTS,
} from './harness.js';

describe.each(VARIANTS)('Linux $release: hmm.$variant', ({ release, device }) => {
  let p: TestProcess;
  let fd: Dmirror;
  let ptr: number;
  beforeEach(() => {
    p = new TestMachine(release).process;
    fd = p.open(device);
    ptr = p.map(NPAGES);
    p.fill(ptr, NPAGES, same);
    const mirror = mirrorOf(NPAGES);
    const { rc, cpages } = p.cmd(fd, HMM_DMIRROR_EXCLUSIVE, ptr, NPAGES, mirror);
    expect([rc, cpages]).toEqual([0, NPAGES]);
    expect(firstDifference(mirror, same)).toBe(-1);
  });

  test('exclusive', () => {
    expect(p.cmd(fd, HMM_DMIRROR_CHECK_EXCLUSIVE, ptr, NPAGES, mirrorOf(1)).rc).toBe(-EPERM);
    expect(p.increment(ptr, NPAGES)).toBe(-1);
    expect(p.check(ptr, NPAGES, (i) => i + 1)).toBe(-1);
    expect(p.cmd(fd, HMM_DMIRROR_CHECK_EXCLUSIVE, ptr, NPAGES, mirrorOf(1)).rc).toBe(0);
  });

  test('exclusive_mprotect', () => {
    expect(p.protect(ptr, NPAGES, PROT_READ)).toBe(0);
    expect(p.cmd(fd, HMM_DMIRROR_WRITE, ptr, NPAGES, mirrorOf(NPAGES, same)).rc).toBe(-EPERM);
  });

  test('exclusive_cow', () => {
    const child = p.fork();
    expect(child.increment(ptr, NPAGES)).toBe(-1);
    expect(child.check(ptr, NPAGES, (i) => i + 1)).toBe(-1);
    child.exit();
    expect(p.increment(ptr, NPAGES)).toBe(-1);
    expect(p.check(ptr, NPAGES, (i) => i + 1)).toBe(-1);
  });
});
