import { describe, expect, test } from 'vitest';
import { type Task } from '@hmm/kernel';
import { ENTRY_TABLE, LEVEL_PMD } from '@hmm/kernel/internal';
import { checkMm, cpuReadByte, cpuWriteByte, dupMm, mmput, type MmStruct, sysMunmap } from '@hmm/mm';
import { findPmd, isDevicePrivatePte, isHuge } from '@hmm/mm/internal';
import type { NouveauDmem } from '@hmm/nouveau-model/internal';
import { CPU, CPU_MAPPED, HOME, REMOTE, Setup, type SetupOptions, VRAM, upTo } from './setup.js';

const NR = 512;
/** A 2 MiB boundary. */
const AT = 0x100000;

/** With huge folios in device memory; what SVM_BIND moves is mapped, other than by the real driver. */
const LARGE = { release: '6.19', mended: ['orderAsPageShift'] } as const;

/** A process whose 4 MiB of huge pages at AT hold i % 200 + 1. */
function huge(options: SetupOptions = {}, pages = 2 * NR): Setup {
  const s = new Setup({ ...LARGE, ...options }, 'p100', 'always');
  expect(s.malloc(pages, AT)).toBe(AT);
  for (let i = 0; i < pages; i++) s.run(cpuWriteByte(s.mm, AT + i, 0, (i % 200) + 1));
  return s;
}

const bind = (s: Setup, start = AT, pages = NR): void => {
  expect(s.run(s.process.prefetch(start, pages, 'gpu'))).toBe(0);
};

const dmem = (s: Setup): NouveauDmem => {
  const { dmem: found } = s.client.drm;
  if (found === undefined) throw new Error('no device memory');
  return found;
};

/** Flags and frame of the CPU's entry for 2 MiB. */
const pmd = (s: Setup, vpn = AT, mm = s.mm): [number, number] => {
  const entry = findPmd(mm, vpn);
  return [s.memory.tables.lanes[entry] ?? 0, s.memory.tables.lanes[entry + 1] ?? 0];
};

/** Whether the GPU maps the 2 MiB at `vpn` by one entry. */
const gpuHuge = (s: Setup, vpn = AT): boolean => {
  const { pool, root } = s.table;
  const flags = pool.lanes[pool.find(root, vpn, LEVEL_PMD)] ?? 0;
  return flags !== 0 && flags !== ENTRY_TABLE;
};

const holds = (s: Setup, pages = NR, mm = s.mm): void => {
  for (let i = 0; i < pages; i += 37) expect(s.cpuRead(AT + i, mm), `page ${i}`).toBe((i % 200) + 1);
};

describe('releases', () => {
  test('6.12 splits a huge page, in pieces of 128 pages; 6.19 moves it whole', () => {
    const s = huge({ release: '6.12' });
    bind(s);
    expect(s.events('nouveau:migrate_to_vram').map((e) => e.length)).toEqual([128, 128, 128, 128]);
    expect([isDevicePrivatePte(pmd(s)[0]), s.client.device.gpu.copyEngine.toDevice.copies]).toEqual([
      false,
      NR,
    ]);
    expect(gpuHuge(s)).toBe(false);
  });
});

describe('to device memory (nouveau.md 9.5)', () => {
  test('one copy of 2 MiB, one private PMD, one GPU page of 2 MiB', () => {
    const s = huge();
    bind(s);
    expect(s.client.device.gpu.copyEngine.toDevice).toMatchObject({ copies: 1, bytes: NR * 4096 });
    expect(s.events('nouveau:migrate_to_vram')).toMatchObject([{ page: AT, length: NR, value: NR * 4096 }]);
    const [flags, folio] = pmd(s);
    expect([isHuge(flags), isDevicePrivatePte(flags), gpuHuge(s)]).toEqual([true, true, true]);
    expect(s.table.frame(AT + 9)).toBe(folio + 9);
    expect(s.residency(AT, NR)).toEqual(upTo(NR).map(() => VRAM));
    expect(s.counters.byCause.user?.toDevice).toBe(NR * 4096);
    expect(dmem(s).used).toBe(NR);
    expect(s.gpu(AT, [0, 5, 511]).values).toEqual([1, 6, 112]);
    expect(s.counters.faults).toBe(0);
  });

  test('two huge pages are two pieces', () => {
    const s = huge();
    bind(s, AT, 2 * NR);
    expect(s.events('nouveau:migrate_to_vram').map((e) => [e.page - AT, e.length])).toEqual([
      [0, NR],
      [NR, NR],
    ]);
  });

  test('pieces begin where the range does: off the boundary, no huge page is taken whole', () => {
    const s = huge();
    bind(s, AT + 1, 2 * NR - 1);
    expect(s.events('nouveau:migrate_to_vram').map((e) => e.length)).toEqual([NR, NR - 1]);
    expect([isHuge(pmd(s)[0]), isHuge(pmd(s, AT + NR)[0])]).toEqual([false, false]);
    expect(s.residency(AT + 1, 1023)).toEqual(upTo(1023).map(() => VRAM));
    holds(s);
  });

  test('untouched memory is one clear, and reads as zeroes', () => {
    const s = new Setup(LARGE, 'p100', 'always');
    s.malloc(NR, AT);
    bind(s);
    expect(s.client.device.gpu.copyEngine.toDevice.copies).toBe(0);
    expect([isDevicePrivatePte(pmd(s)[0]), gpuHuge(s)]).toEqual([true, true]);
    expect(s.gpu(AT, [0, 300]).values).toEqual([0, 0]);
    expect(s.cpuRead(AT + 17)).toBe(0);
  });

  test('without 256 MiB of device memory for a chunk of folios it stays where it is, whole', () => {
    const s = huge({ vramPages: 65_536 });
    const a = s.malloc(1);
    bind(s, a, 1);
    expect(dmem(s).chunks).toHaveLength(1);
    bind(s, AT, 2 * NR);
    expect(s.residency(AT + NR, 1)).toEqual([HOME]);
    expect(isHuge(pmd(s, AT + NR)[0])).toBe(true);
    holds(s, 2 * NR);
  });

  test('as the driver is, nothing is mapped after it: the GPU keeps the host pages that it had', () => {
    const s = huge({ mended: [] });
    expect(s.gpu(AT, [0]).values).toEqual([1]);
    const host = s.table.frame(AT);
    bind(s);
    expect(isDevicePrivatePte(pmd(s)[0])).toBe(true);
    expect([s.table.frame(AT), s.residency(AT, 1)[0]]).toEqual([host, VRAM]);
    expect(s.memory.map.refcount[host]).toBe(0);
  });

  test('a copy that cannot be set up leaves it where it is, and the folio free', () => {
    for (const site of ['dma_map_page', 'copy_engine']) {
      const s = huge();
      s.fail(site);
      bind(s);
      expect([dmem(s).used, s.residency(AT, 1)[0]]).toEqual([0, HOME]);
      holds(s);
    }
  });

  test('a fault of the GPU on it maps 2 MiB of device memory', () => {
    const s = huge();
    bind(s);
    s.run(clearGpu(s));
    expect(s.gpu(AT, [0, 8]).values).toEqual([1, 9]);
    expect(gpuHuge(s)).toBe(true);
    expect(s.residency(AT, 1)).toEqual([VRAM]);
    expect(s.counters.remoteMaps).toBe(0);
  });

  test('a fault in the middle of it maps what lies before it: HMM counts its frames from the head (ownHugePfnsFromHead)', () => {
    const s = huge();
    bind(s);
    s.run(clearGpu(s));
    expect(s.gpu(AT, [7, 8]).values).toEqual([1, 2]);
  });
});

describe('the two free lists (nouveau.md 9.5)', () => {
  test('a folio comes back whole, and is the next one given', () => {
    const s = huge();
    bind(s);
    const [, folio] = pmd(s);
    s.run(sysMunmap(s.mm, AT, NR));
    expect(dmem(s).used).toBe(0);
    bind(s, AT + NR);
    expect(pmd(s, AT + NR)[1]).toBe(folio);
    expect(dmem(s).chunks).toHaveLength(1);
  });

  test('single pages come from chunks of their own; those of a split folio join them', () => {
    const s = huge();
    bind(s);
    const a = s.malloc(4);
    s.cpuWrite(a, 4, 1);
    bind(s, a, 2);
    expect(dmem(s).chunks).toHaveLength(2);
    // A part unmapped: the folio is split when a page of it migrates, and the part is free.
    const [, folio] = pmd(s);
    s.run(sysMunmap(s.mm, AT, 100));
    expect(dmem(s).used).toBe(NR + 2);
    expect(s.cpuRead(AT + 100)).toBe(101);
    expect(dmem(s).used).toBe(NR + 2 - 101);
    bind(s, a + 2, 1);
    expect(s.table.frame(a + 2)).toBe(folio + 100);
    expect(dmem(s).chunks).toHaveLength(2);
  });

  test('the pages of a split folio remember the mirror that it was moved for', () => {
    const s = huge();
    bind(s);
    s.run(sysMunmap(s.mm, AT, 1));
    expect(s.gpu(AT, [300]).values).toEqual([101]);
    expect(s.cpuRead(AT + 300)).toBe(101);
    // The fault cleared the GPU's entry of the page.
    expect(s.residency(AT + 300, 2)).toEqual([HOME, expect.anything()]);
    expect(s.gpu(AT, [300]).values).toEqual([101]);
    expect(s.residency(AT + 300, 1)).toEqual([REMOTE]);
  });
});

describe('the CPU touches it (nouveau.md 9.5)', () => {
  test('the whole folio comes home by one copy, off the GPU first', () => {
    const s = huge();
    bind(s);
    expect(s.cpuRead(AT + 100)).toBe(101);
    expect(s.client.device.gpu.copyEngine.toHost).toMatchObject({ copies: 1, bytes: NR * 4096 });
    expect(s.events('nouveau:migrate_to_ram')).toMatchObject([{ page: AT, length: NR }]);
    expect(s.residency(AT, NR)).toEqual(upTo(NR).map(() => CPU | CPU_MAPPED));
    expect(s.counters).toMatchObject({ cpuFaults: 1, byCause: { 'cpu-fault': { toHost: NR * 4096 } } });
    expect([isHuge(pmd(s)[0]), dmem(s).used]).toEqual([true, 0]);
    holds(s);
    expect(s.counters.cpuFaults).toBe(1);
  });

  test('without a huge page at home it cannot come: VM_FAULT_OOM, the access is repeated until there is one', () => {
    const s = huge();
    bind(s);
    s.fail('alloc_huge_page', 1);
    expect(s.cpuRead(AT + 100)).toBe(101);
    expect([s.counters.cpuFaults, dmem(s).used, isHuge(pmd(s)[0])]).toEqual([2, 0, true]);
    holds(s);
  });

  test('a copy that cannot be set up is SIGBUS, and loses nothing', () => {
    const s = huge();
    bind(s);
    s.fail('copy_engine', 1);
    expect(s.run(cpuReadByte(s.mm, AT, 0))).toBeLessThan(0);
    expect(dmem(s).used).toBe(NR);
    expect(isDevicePrivatePte(pmd(s)[0])).toBe(true);
    holds(s);
  });

  test('a part of it unmapped: one page at a time', () => {
    const s = huge();
    bind(s);
    s.run(sysMunmap(s.mm, AT, 1));
    expect(s.cpuRead(AT + 3)).toBe(4);
    expect(s.events('nouveau:migrate_to_ram')).toMatchObject([{ page: AT + 3, length: 1 }]);
    expect(s.counters.byCause['cpu-fault']?.toHost).toBe(4096);
  });

  test("a forked child brings it home for both, off its parent's GPU", () => {
    const s = huge();
    bind(s);
    const child = s.run(dupMm(s.mm)) as MmStruct;
    expect(s.cpuRead(AT + 5, child)).toBe(6);
    expect(s.residency(AT, 1)).toEqual([HOME]);
    s.run(cpuWriteByte(child, AT + 5, 0, 99));
    expect([s.cpuRead(AT + 5), s.cpuRead(AT + 5, child)]).toEqual([6, 99]);
    s.run(mmput(child));
    expect(checkMm(s.memory)).toBeUndefined();
  });
});

test('unloading leaves whole folios where they are: their new pages are not said to be folios', () => {
  const s = huge({ mended: ['orderAsPageShift', 'keepsFreedSvmm'] });
  bind(s, AT, 2 * NR);
  s.run(s.process.close());
  expect(dmem(s).used).toBe(2 * NR);
  holds(s, 2 * NR);
  expect(dmem(s).used).toBe(0);
});

/** Takes the 2 MiB at AT off the GPU, as an invalidation does. */
function* clearGpu(s: Setup): Task {
  const { svmm } = s.process;
  yield* svmm.mutex.lock();
  yield* svmm.invalidate(AT, AT + NR);
  svmm.mutex.unlock();
}
