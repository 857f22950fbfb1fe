import { describe, expect, test } from 'vitest';
import { EINVAL, EOPNOTSUPP, type Task } from '@hmm/kernel';
import {
  MAP_SHARED,
  type MmStruct,
  SIGBUS,
  VM_IO,
  cpuWriteByte,
  dupMm,
  pinUserPages,
  sysMmap,
  sysMunmap,
} from '@hmm/mm';
import { cpuTranslate, shmemFileSetup } from '@hmm/mm/internal';
import { HOME, REMOTE, RW, Setup, VRAM, upTo } from './setup.js';

function bound(pages: number, options = {}): { s: Setup; a: number } {
  const s = new Setup(options);
  const a = s.malloc(pages);
  s.cpuWrite(a, pages, 1);
  s.run(s.process.prefetch(a, pages, 'gpu'));
  return { s, a };
}

const dmem = (s: Setup) => {
  const { dmem: found } = s.client.drm;
  if (found === undefined) throw new Error('no device memory');
  return found;
};

/** Frames that pages are in, by the GPU's page table. */
const frames = (s: Setup, vpn: number, pages: number): number[] =>
  upTo(pages).map((i) => s.table.frame(vpn + i));

describe('allocation (nouveau.md 9.1)', () => {
  test('a chunk of 2 MiB is added when the free list is empty: its last page first, then downwards', () => {
    const { s, a } = bound(4);
    const { chunks } = dmem(s);
    expect(chunks).toHaveLength(1);
    const first = chunks[0]?.first ?? 0;
    expect(frames(s, a, 4)).toEqual([511, 510, 509, 508].map((i) => first + i));
    expect(dmem(s).used).toBe(4);
  });

  test('free pages are one stack for the whole device: the last freed is the next given', () => {
    const { s, a } = bound(4);
    const before = frames(s, a, 4);
    s.run(sysMunmap(s.mm, a + 1, 1));
    s.run(sysMunmap(s.mm, a + 3, 1));
    const b = s.malloc(2);
    s.cpuWrite(b, 2, 1);
    s.run(s.process.prefetch(b, 2, 'gpu'));
    expect(frames(s, b, 2)).toEqual([before[3], before[1]]);
  });

  test('513 pages need a second chunk', () => {
    const { s } = bound(513);
    expect(dmem(s).chunks).toHaveLength(2);
    expect(dmem(s).used).toBe(513);
  });

  test('chunks are not given back when their pages are free', () => {
    const { s, a } = bound(8);
    s.run(sysMunmap(s.mm, a, 8));
    expect(dmem(s).used).toBe(0);
    expect(dmem(s).chunks).toHaveLength(1);
  });

  test('a chunk that cannot be allocated: the pages stay in system memory, the call returns 0', () => {
    const s = new Setup();
    const a = s.malloc(2);
    s.cpuWrite(a, 2, 1);
    s.fail('nouveau_dmem_chunk');
    expect(s.run(s.process.prefetch(a, 2, 'gpu'))).toBe(0);
    expect(s.residency(a, 2)).toEqual([HOME, HOME]);
  });

  test('memory can be limited to what is in use at least: nothing is evicted', () => {
    const { s } = bound(600);
    expect(s.run(s.client.limitMemory(512))).toBe(-EOPNOTSUPP);
    expect(s.run(s.client.limitMemory(1024))).toBe(0);
    const b = s.malloc(600);
    s.cpuWrite(b, 600, 1);
    s.run(s.process.prefetch(b, 600, 'gpu'));
    expect(s.residency(b, 600).filter((bits) => bits === VRAM)).toHaveLength(1024 - 600);
  });
});

describe('SVM_BIND (nouveau.md 2, 9.2)', () => {
  test('pieces are of 128 pages: one fence each', () => {
    const { s } = bound(300);
    expect(s.events('nouveau:migrate_to_vram').map((e) => e.length)).toEqual([128, 128, 44]);
  });

  test('memory that nobody touched is cleared on the GPU, and nothing crosses the link', () => {
    const s = new Setup();
    const a = s.malloc(2);
    s.run(s.process.prefetch(a, 2, 'gpu'));
    expect(s.counters.byCause.user?.toDevice).toBe(0);
    expect(s.gpu(a, [0, 1]).values).toEqual([0, 0]);
    expect(s.counters.faults).toBe(0);
  });

  test('such a page is mapped read-only, as its slot has no write bit: a store faults once', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    expect(s.residency(a, 1)).toEqual([2 | 8]);
    s.gpu(a, [0], 'write', 8);
    expect(s.residency(a, 1)).toEqual([VRAM]);
    expect(s.counters.faults).toBe(1);
    expect(s.cpuRead(a)).toBe(8);
  });

  test('holes and VMAs are walked in one call', () => {
    const s = new Setup();
    const a = s.malloc(8);
    s.cpuWrite(a, 8, 1);
    s.run(sysMunmap(s.mm, a + 2, 2));
    expect(s.run(s.process.prefetch(a, 8, 'gpu'))).toBe(0);
    expect(s.residency(a, 8)).toEqual([VRAM, VRAM, 0, 0, VRAM, VRAM, VRAM, VRAM]);
  });

  test('a VMA that cannot be migrated is passed over in silence', () => {
    const s = new Setup();
    const a = s.malloc(2);
    s.cpuWrite(a, 2, 1);
    const special = s.mm.vmas.find((vma) => vma.start <= a && a < vma.end);
    if (special !== undefined) special.flags |= VM_IO;
    expect(s.run(s.process.prefetch(a, 2, 'gpu'))).toBe(0);
    expect(s.residency(a, 2)).toEqual([HOME, HOME]);
  });

  test('pages of a file stay: only anonymous memory moves', () => {
    const s = new Setup({ mended: ['mapsRefusedPages'] });
    const file = shmemFileSetup(s.memory, 2);
    if (file === null) throw new Error('no file');
    const a = s.run(sysMmap(s.mm, 0, 2, RW, MAP_SHARED, { file }));
    s.cpuWrite(a, 2, 1);
    expect(s.run(s.process.prefetch(a, 2, 'gpu'))).toBe(0);
    expect(s.residency(a, 2)).toEqual([HOME, HOME]);
    expect(s.gpu(a, [0, 1]).values).toEqual([1, 2]);
    expect(s.residency(a, 2)).toEqual([REMOTE, REMOTE]);
  });

  test('a pinned page stays, its neighbours move', () => {
    const s = new Setup();
    const a = s.malloc(3);
    s.cpuWrite(a, 3, 1);
    s.run(pin(s.mm, a + 1));
    s.run(s.process.prefetch(a, 3, 'gpu'));
    expect(s.residency(a, 3)).toEqual([VRAM, HOME, VRAM]);
    expect(s.gpu(a, [0, 1, 2]).values).toEqual([1, 2, 3]);
  });

  test('a page whose copy cannot be set up stays, its neighbours move', () => {
    for (const site of ['copy_engine', 'dma_map_page']) {
      const s = new Setup();
      const a = s.malloc(3);
      s.cpuWrite(a, 3, 1);
      s.fail(site, 1, 1);
      expect(s.run(s.process.prefetch(a, 3, 'gpu'))).toBe(0);
      s.kernel.injector = undefined;
      expect(s.residency(a, 3)).toEqual([VRAM, HOME, VRAM]);
      expect(dmem(s).used).toBe(2);
      expect(s.gpu(a, [0, 1, 2]).values).toEqual([1, 2, 3]);
    }
  });

  test('system memory as the target does not exist: EINVAL', () => {
    const { s, a } = bound(2);
    expect(s.run(s.process.prefetch(a, 2, 'cpu'))).toBe(-EINVAL);
    expect(s.residency(a, 2)).toEqual([VRAM, VRAM]);
  });

  test('the copies are waited for in the call', () => {
    const s = new Setup();
    const a = s.malloc(128);
    s.cpuWrite(a, 128, 1);
    const before = s.kernel.sched.now;
    s.run(s.process.prefetch(a, 128, 'gpu'));
    const copies = 128 * s.client.device.gpu.copyEngine.time(4096, true);
    expect(s.counters.timeNs.copying).toBeCloseTo(copies);
    expect(s.kernel.sched.now - before).toBeGreaterThan(copies);
  });

  test('mended, the GPU has lost its mapping of the source before the copy is made', () => {
    const s = new Setup({ mended: ['keepsSourceMappings'] });
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    s.gpu(a, [0]);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    expect(s.counters.timeNs.invalidating).toBe(s.client.drm.cost.pfnclr.value);
    expect(s.residency(a, 1)).toEqual([VRAM]);
  });
});

describe('the CPU touches a page in device memory (nouveau.md 9.3)', () => {
  test('one page comes home, is off the GPU, and its device page is free', () => {
    const { s, a } = bound(3);
    expect(s.cpuRead(a + 1)).toBe(2);
    expect(s.residency(a, 3)).toEqual([VRAM, HOME, VRAM]);
    expect(dmem(s).used).toBe(2);
    expect(s.counters.byCause['cpu-fault']?.toHost).toBe(4096);
  });

  test('it never goes back by itself: the GPU maps it where it is, until another SVM_BIND', () => {
    const { s, a } = bound(1);
    s.cpuRead(a);
    s.gpu(a, [0]);
    s.gpu(a, [0]);
    expect(s.residency(a, 1)).toEqual([REMOTE]);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    expect(s.residency(a, 1)).toEqual([VRAM]);
  });

  test('what the GPU wrote comes home', () => {
    const { s, a } = bound(1);
    s.gpu(a, [0], 'write', 42);
    expect(s.cpuRead(a)).toBe(42);
  });

  test('a copy that cannot be set up is SIGBUS, and the data stay in device memory', () => {
    for (const site of ['copy_engine', 'dma_map_page']) {
      const { s, a } = bound(1);
      s.fail(site, 1);
      expect(s.run(cpuWriteByte(s.mm, a, 1, 1))).toBe(-SIGBUS);
      s.kernel.injector = undefined;
      expect(s.cpuRead(a)).toBe(1);
    }
  });

  test('no memory for the page: 0, the access is repeated until there is', () => {
    const { s, a } = bound(1);
    s.fail('alloc_page', 3);
    expect(s.cpuRead(a)).toBe(1);
    expect(s.counters.cpuFaults).toBe(4);
  });

  test('a copy that the engine fails silently shows zeroes; before the fix, what the frame held', () => {
    const seen = (quirk: boolean): number => {
      const s = new Setup({ release: quirk ? '6.1' : '6.12' });
      const a = s.malloc(1);
      s.cpuWrite(a, 1, 200);
      s.memory.data.fillPage(cpuTranslate(s.mm, a, false), 200);
      s.run(s.process.prefetch(a, 1, 'gpu'));
      s.fail('copy_engine_silent', 1);
      return s.cpuRead(a);
    };
    expect(seen(false)).toBe(0);
    expect(seen(true)).toBe(200);
  });

  test('a forked child shares the page; its access brings it home and clears the mirror of the parent (nouveau.md 13)', () => {
    const { s, a } = bound(2);
    const child = s.run(dupMm(s.mm));
    if (typeof child === 'number') throw new Error('fork failed');
    expect(s.cpuRead(a, child)).toBe(1);
    expect(s.residency(a, 2)[0]).toBe(HOME);
    expect(s.cpuRead(a)).toBe(1);
    s.run(cpuWriteByte(child, a, 0, 99));
    expect(s.cpuRead(a)).toBe(1);
    expect(s.cpuRead(a, child)).toBe(99);
  });
});

describe('defects of SVM_BIND', () => {
  test('slots that migrate_vma_pages refused are mapped all the same: the GPU sees a freed device page', () => {
    const look = (mapsRefusedPages: boolean): { bits: number; frame: number; used: number } => {
      const s = new Setup({ mended: mapsRefusedPages ? [] : ['mapsRefusedPages'] });
      const file = shmemFileSetup(s.memory, 1);
      if (file === null) throw new Error('no file');
      const a = s.run(sysMmap(s.mm, 0, 1, RW, MAP_SHARED, { file }));
      s.cpuWrite(a, 1, 1);
      s.run(s.process.prefetch(a, 1, 'gpu'));
      return {
        bits: s.residency(a, 1)[0] ?? 0,
        frame: s.table.frame(a),
        used: dmem(s).used,
      };
    };
    expect(look(false)).toMatchObject({ bits: HOME, used: 0 });
    const broken = look(true);
    expect(broken.bits).toBe(HOME | 8 | 16);
    expect(broken.used).toBe(0);
  });

  test('a store of the GPU between the copy and the new mapping is lost', () => {
    const lost = (keepsSourceMappings: boolean): boolean => {
      const s = new Setup({ mended: keepsSourceMappings ? [] : ['keepsSourceMappings'] });
      const a = s.malloc(8);
      s.cpuWrite(a, 8, 1);
      s.gpu(a, upTo(8));
      const { sched } = s.kernel;
      sched.spawn('bind', s.process.prefetch(a, 8, 'gpu'));
      sched.spawn('kernel', writeDuringCopy(s, a));
      sched.run();
      return s.cpuRead(a + 7) !== 50;
    };
    expect(lost(false)).toBe(false);
    expect(lost(true)).toBe(true);
  });
});

/** A GPU kernel that stores to the last page once the copies of a piece have been issued. */
function* writeDuringCopy(s: Setup, vpn: number): Task {
  while (s.client.device.gpu.copyEngine.toDevice.copies < 8) yield* s.kernel.sched.delay(100);
  yield* s.launch(vpn, [7], 'write', 50);
}

function* pin(mm: MmStruct, vpn: number): Task {
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const pages: number[] = [];
  yield* pinUserPages(mm, vpn, 1, 0, pages);
  mm.mmapLock.unlockRead();
}
