import { EFAULT, EPERM, Prng, AGENT_READY } from '@hmm/kernel';
import { MAP_HUGETLB, sysMunmap } from '@hmm/mm';
import {
  dmirrorFopsMmap,
  dmirrorIoctl,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_PROT_PMD,
  HMM_DMIRROR_PROT_READ,
  HMM_DMIRROR_PROT_WRITE,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
  type Dmirror,
} from '@hmm/test-device';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  firstDifference,
  MAP_PRIVATE,
  MAP_SHARED,
  mirrorOf,
  negative,
  NPAGES,
  NTIMES,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  RW,
  same,
  TestMachine,
  type TestProcess,
  TWOMEG,
  VARIANTS,
} from './harness.js';

describe.each(VARIANTS)('Linux $release: hmm.$variant', ({ release, device }) => {
  let machine: TestMachine;
  let p: TestProcess;
  let fd: Dmirror;
  beforeEach(() => {
    machine = new TestMachine(release);
    p = machine.process;
    fd = p.open(device);
  });

  test('open_close', () => {
    p.close(fd);
    expect(machine.driver.mirrors.filter((mirror) => mirror !== undefined)).toEqual([]);
    expect(p.mm.count).toBe(1);
  });

  test('anon_read', () => {
    const ptr = p.map(NPAGES);
    p.fill(ptr + 2, NPAGES - 2, (i) => i + 2048);
    expect(p.protect(ptr, NPAGES, PROT_READ)).toBe(0);
    expect(p.load(ptr + 1)).toBe(0);
    const mirror = mirrorOf(NPAGES);
    expect(p.cmd(fd, HMM_DMIRROR_READ, ptr, NPAGES, mirror)).toEqual({ rc: 0, cpages: NPAGES, faults: 1 });
    expect(firstDifference(mirror, (i) => (i < 2048 ? 0 : i))).toBe(-1);
  });

  test('anon_read_prot', () => {
    const ptr = p.map(NPAGES);
    p.fill(ptr, NPAGES, same);
    const mirror = mirrorOf(NPAGES, negative);
    expect(p.protect(ptr, NPAGES, PROT_NONE)).toBe(0);
    expect(p.cmd(fd, HMM_DMIRROR_READ, ptr, NPAGES, mirror).rc).toBe(-EFAULT);
    expect(p.protect(ptr, NPAGES, PROT_READ)).toBe(0);
    expect(p.check(ptr, NPAGES, same)).toBe(-1);
    expect(firstDifference(mirror, negative)).toBe(-1);
  });

  test('anon_write', () => {
    const ptr = p.map(NPAGES);
    const result = p.cmd(fd, HMM_DMIRROR_WRITE, ptr, NPAGES, mirrorOf(NPAGES, same));
    expect(result).toEqual({ rc: 0, cpages: NPAGES, faults: 1 });
    expect(p.check(ptr, NPAGES, same)).toBe(-1);
  });

  test('anon_write_prot', () => {
    const ptr = p.map(NPAGES, PROT_READ);
    expect(p.cmd(fd, HMM_DMIRROR_READ, ptr, 1, mirrorOf(1))).toEqual({ rc: 0, cpages: 1, faults: 1 });
    const mirror = mirrorOf(NPAGES, same);
    expect(p.cmd(fd, HMM_DMIRROR_WRITE, ptr, NPAGES, mirror).rc).toBe(-EPERM);
    expect(p.check(ptr, NPAGES, () => 0)).toBe(-1);
    expect(p.protect(ptr, NPAGES, RW)).toBe(0);
    expect(p.cmd(fd, HMM_DMIRROR_WRITE, ptr, NPAGES, mirror)).toEqual({ rc: 0, cpages: NPAGES, faults: 1 });
    expect(p.check(ptr, NPAGES, same)).toBe(-1);
  });

  const writeInChild = (flags: number): number => {
    const ptr = p.map(NPAGES, RW, flags);
    p.fill(ptr, NPAGES, same);
    const mirror = mirrorOf(NPAGES, negative);
    const child = p.fork();
    expect(child.check(ptr, NPAGES, same)).toBe(-1);
    const childFd = child.open(0);
    expect(child.cmd(childFd, HMM_DMIRROR_WRITE, ptr, NPAGES, mirror)).toEqual({
      rc: 0,
      cpages: NPAGES,
      faults: 1,
    });
    expect(child.check(ptr, NPAGES, negative)).toBe(-1);
    child.close(childFd);
    child.exit();
    return ptr;
  };

  test('anon_write_child', () => {
    expect(p.check(writeInChild(MAP_PRIVATE), NPAGES, same)).toBe(-1);
  });

  test('anon_write_child_shared', () => {
    expect(p.check(writeInChild(MAP_SHARED), NPAGES, negative)).toBe(-1);
  });

  test('anon_write_huge', () => {
    const ptr = p.mapHuge();
    const mirror = mirrorOf(TWOMEG, same);
    expect(p.cmd(fd, HMM_DMIRROR_WRITE, ptr, TWOMEG, mirror)).toEqual({ rc: 0, cpages: TWOMEG, faults: 1 });
    expect(p.check(ptr, TWOMEG, same)).toBe(-1);
  });

  test('anon_write_hugetlbfs', () => {
    const ptr = p.map(TWOMEG, RW, MAP_PRIVATE | MAP_HUGETLB);
    const mirror = mirrorOf(TWOMEG, same);
    expect(p.cmd(fd, HMM_DMIRROR_WRITE, ptr, TWOMEG, mirror)).toEqual({ rc: 0, cpages: TWOMEG, faults: 1 });
    expect(p.check(ptr, TWOMEG, same)).toBe(-1);
  });

  test('file_read', () => {
    const file = machine.file(NPAGES);
    const ptr = p.mapFile(file, NPAGES, PROT_READ, MAP_SHARED);
    const mirror = mirrorOf(NPAGES);
    expect(p.cmd(fd, HMM_DMIRROR_READ, ptr, NPAGES, mirror)).toEqual({ rc: 0, cpages: NPAGES, faults: 1 });
    expect(firstDifference(mirror, same)).toBe(-1);
    machine.closeFile(file);
  });

  test('file_write', () => {
    const file = machine.file(NPAGES, () => 0);
    const ptr = p.mapFile(file, NPAGES, RW, MAP_SHARED);
    const result = p.cmd(fd, HMM_DMIRROR_WRITE, ptr, NPAGES, mirrorOf(NPAGES, same));
    expect(result).toEqual({ rc: 0, cpages: NPAGES, faults: 1 });
    expect(p.check(ptr, NPAGES, same)).toBe(-1);
    expect(machine.checkFile(file, NPAGES, same)).toBe(-1);
    machine.closeFile(file);
  });

  test('anon_read_multiple', () => {
    for (let c = 0; c < NTIMES; c++) {
      const ptr = p.map(NPAGES);
      p.fill(ptr, NPAGES, (i) => i + c);
      const mirror = mirrorOf(NPAGES);
      expect(p.cmd(fd, HMM_DMIRROR_READ, ptr, NPAGES, mirror)).toEqual({ rc: 0, cpages: NPAGES, faults: 1 });
      expect(firstDifference(mirror, (i) => i + c)).toBe(-1);
      p.unmap(ptr, NPAGES);
    }
  });

  test('anon_teardown', () => {
    // Sixteen pages suffice: each round is one random schedule of the two threads, step by step.
    const pages = 16;
    const outcomes = new Set<number>();
    for (let c = 0; c < 5 * NTIMES; c++) {
      const ptr = p.map(pages);
      p.fill(ptr, pages, (i) => i + c);
      const mirror = mirrorOf(pages);
      const { sched } = machine.kernel;
      const cmd = { addr: ptr * PAGE_SIZE, ptr: mirror, npages: pages, cpages: -1, faults: -1 };
      const reader = sched.spawn('read', dmirrorIoctl(fd, HMM_DMIRROR_READ, cmd));
      sched.spawn('unmap', sysMunmap(p.mm, ptr + pages / 2, pages / 2));
      const random = new Prng(c);
      sched.exploring = true;
      for (;;) {
        const ready = sched.agents.filter((agent) => agent.task !== undefined && agent.state === AGENT_READY);
        const agent = ready[random.below(ready.length)];
        if (agent === undefined) break;
        sched.step(agent);
      }
      sched.exploring = false;
      const rc = Number(reader.result);
      outcomes.add(rc);
      if (rc === 0) {
        expect(cmd.cpages).toBe(pages);
        expect(firstDifference(mirror, (i) => i + c)).toBe(-1);
      }
      sched.reset();
      p.unmap(ptr, pages);
    }
    expect([...outcomes].sort()).toEqual([-EFAULT, 0]);
  });

  test('mixedmap', () => {
    const ptr = p.run(dmirrorFopsMmap(p.mm, 0, 1, RW, MAP_PRIVATE));
    const m = new Uint8Array(1);
    expect(p.cmd(fd, HMM_DMIRROR_SNAPSHOT, ptr, 1, m)).toEqual({ rc: 0, cpages: 1, faults: 0 });
    expect(m[0]).toBe(0x01);
  });

  test('compound', () => {
    const ptr = p.map(TWOMEG, RW, MAP_PRIVATE | MAP_HUGETLB);
    p.fill(ptr, TWOMEG, same);
    const m = new Uint8Array(TWOMEG);
    const all = { rc: 0, cpages: TWOMEG, faults: 0 };
    expect(p.cmd(fd, HMM_DMIRROR_SNAPSHOT, ptr, TWOMEG, m)).toEqual(all);
    expect(new Set(m)).toEqual(new Set([HMM_DMIRROR_PROT_WRITE | HMM_DMIRROR_PROT_PMD]));
    expect(p.protect(ptr, TWOMEG, PROT_READ)).toBe(0);
    expect(p.cmd(fd, HMM_DMIRROR_SNAPSHOT, ptr, TWOMEG, m)).toEqual(all);
    expect(new Set(m)).toEqual(new Set([HMM_DMIRROR_PROT_READ | HMM_DMIRROR_PROT_PMD]));
  });
});

describe.each(VARIANTS)('Linux $release: hmm2.$variant', ({ release, coherent, device0, device1 }) => {
  test('double_map', () => {
    const machine = new TestMachine(release);
    const p = machine.process;
    const [fd0, fd1] = [p.open(device0), p.open(device1)];
    const ptr = p.map(6);
    p.fill(ptr, 6, same);
    expect(p.protect(ptr, 6, PROT_READ)).toBe(0);
    for (const fd of [fd0, fd1]) {
      const mirror = mirrorOf(6);
      expect(p.cmd(fd, HMM_DMIRROR_READ, ptr, 6, mirror)).toEqual({ rc: 0, cpages: 6, faults: 1 });
      expect(firstDifference(mirror, same)).toBe(-1);
    }
    const moved = p.cmd(fd1, HMM_DMIRROR_MIGRATE_TO_DEV, ptr, 6, mirrorOf(6));
    expect([moved.rc, moved.cpages]).toEqual([0, 6]);
    const mirror = mirrorOf(6);
    expect(p.cmd(fd0, HMM_DMIRROR_READ, ptr, 6, mirror)).toEqual({ rc: 0, cpages: 6, faults: 1 });
    expect(firstDifference(mirror, same)).toBe(-1);
    expect(machine.driver.devices[device1]?.chunks[0]?.pagemap.live).toBe(coherent ? 6 : 0);
  });
});
