import { describe, expect, test } from 'vitest';
import { GPU_PTE_VALID, GpuPageTable } from '@hmm/gpu';
import { EINVAL, Kernel } from '@hmm/kernel';
import { dupMm, MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT, type MmStruct, sysMadvise } from '@hmm/mm';
import {
  nouveauBehaviours,
  type NouveauDefect,
  nouveauSvmmBind,
  NvkmVmm,
  svmBindMigrate,
} from '@hmm/nouveau-model/internal';
import { Setup, type SetupOptions } from './setup.js';

/** A driver as it is, and one with `name` mended. */
function both<T>(name: NouveauDefect, look: (options: SetupOptions) => T): { asIs: T; mended: T } {
  return { asIs: look({}), mended: look({ mended: [name] }) };
}

/** Pages in a little more than 2 GiB: a difference of addresses that does not fit into 32 bits. */
const FAR = 2 ** 19 + 512;
/** Pages in 4 GiB: nothing is left of such a difference. */
const WRAPPED = 2 ** 20;
const NR = 512;
/** A 2 MiB boundary. */
const AT = 0x100000;

describe('faults far apart', () => {
  const mapped = (options: SetupOptions): { pages: number[]; batches: number } => {
    const s = new Setup(options);
    for (const vpn of [AT, AT + FAR]) s.cpuWrite(s.malloc(1, vpn), 1, 1);
    s.gpu(AT, [0, FAR]);
    return { pages: s.events('nouveau:pfnmap').map(({ page }) => page - AT), batches: s.counters.batches };
  };

  test('comparesLowBits: they are served in a wrong order; skipsBelow: the lower one is passed over', () => {
    expect(mapped({})).toEqual({ pages: [FAR, 0], batches: 2 });
    expect(mapped({ mended: ['skipsBelow'] })).toEqual({ pages: [FAR, 0], batches: 1 });
    expect(mapped({ mended: ['comparesLowBits'] })).toEqual({ pages: [0, FAR], batches: 1 });
  });

  test('staleSkip: one that is wrongly sorted behind a bad address is cancelled with it', () => {
    const cancelled = both('staleSkip', (options) => {
      const s = new Setup(options);
      const [good, bad, below] = [AT + WRAPPED, AT + WRAPPED + 1, AT + 2];
      for (const vpn of [good, below]) s.cpuWrite(s.malloc(1, vpn), 1, 1);
      for (const vpn of [good, bad, below])
        s.client.device.gpu.faultBuffer.push(s.process.channel.inst, vpn, 1, 2, 0, 0);
      s.gpu(good, [0]);
      return s.events('nouveau:svm_fault_cancel').map(({ page }) => page - AT);
    });
    expect(cancelled).toEqual({ asIs: [WRAPPED + 1, 2], mended: [WRAPPED + 1] });
  });
});

describe('host pages that are freed', () => {
  /** Whether the GPU maps a frame at `vpn` that nobody has any more. */
  const stale = (s: Setup, table: GpuPageTable, vpn: number): boolean =>
    (table.flags(vpn) & GPU_PTE_VALID) !== 0 && s.memory.map.refcount[table.frame(vpn)] === 0;

  test('ignoresMapFailure: a piece that begins in the unmanaged interval leaves the old mappings behind it', () => {
    const found = both('ignoresMapFailure', (options) => {
      const s = new Setup({ ...options, unmanaged: { addr: AT * 4096, size: 2 * 4096 } });
      s.malloc(8, AT);
      s.cpuWrite(AT, 8, 1);
      s.gpu(AT, [4, 5]);
      expect(s.run(s.process.prefetch(AT, 8, 'gpu'))).toBe(0);
      return stale(s, s.table, AT + 4);
    });
    expect(found).toEqual({ asIs: true, mended: false });
  });

  test('ownerIsDevice: what one client moves stays mapped for the other', () => {
    const found = both('ownerIsDevice', (options) => {
      const s = new Setup(options);
      const opened = s.run(s.client.openProcess(s.mm));
      if (!opened.ok) throw new Error(opened.reason);
      const a = s.malloc(1);
      s.cpuWrite(a, 1, 1);
      s.gpu(a, [0]);
      s.run(opened.process.prefetch(a, 1, 'gpu'));
      return stale(s, s.table, a);
    });
    expect(found).toEqual({ asIs: true, mended: false });
  });

  test('partialHugeClear: a 2 MiB entry survives the clear of a part, and then that of the whole', () => {
    const found = both('partialHugeClear', (options) => {
      const s = new Setup(options, 'p100', 'always');
      s.malloc(NR, AT);
      s.cpuWrite(AT, 1, 1);
      s.gpu(AT, [0]);
      expect(s.run(sysMadvise(s.mm, AT + 256, 32, MADV_DONTNEED))).toBe(0);
      expect(s.run(sysMadvise(s.mm, AT, NR, MADV_DONTNEED))).toBe(0);
      return stale(s, s.table, AT);
    });
    expect(found).toEqual({ asIs: true, mended: false });
  });
});

describe('joinsPageSizes', () => {
  const vmm = (mended: readonly NouveauDefect[]): NvkmVmm =>
    new NvkmVmm(new GpuPageTable(64), { start: 0, limit: 0 }, nouveauBehaviours(new Kernel(), { mended }));
  const entry = (pfn: number): Int32Array => Int32Array.of(1, pfn);

  test('a small page beside a newer huge one is not cleared', () => {
    const left = (mended: readonly NouveauDefect[]): number => {
      const space = vmm(mended);
      expect([space.pfnmap(511, 12, entry(7), 1), space.pfnmap(NR, 21, entry(2 * NR), 1)]).toEqual([0, 0]);
      space.pfnclr(511, NR);
      return space.table.flags(511);
    };
    expect(left([])).not.toBe(0);
    expect(left(['joinsPageSizes'])).toBe(0);
  });

  test('a huge page beside a newer small one crashes the kernel when it is cleared', () => {
    const clear = (mended: readonly NouveauDefect[]): number => {
      const space = vmm(mended);
      space.pfnmap(NR, 21, entry(2 * NR), 1);
      space.pfnmap(2 * NR, 12, entry(7), 1);
      return space.pfnclr(NR, 2 * NR);
    };
    expect(() => clear([])).toThrow('the kernel crashes in nvkm_vmm_unref_ptes');
    expect(clear(['joinsPageSizes'])).toBe(NR);
  });
});

test("bindsForCaller: a child's SVM_BIND through the inherited file maps its pages for its parent's GPU", () => {
  const found = both('bindsForCaller', (options) => {
    const s = new Setup(options);
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    const child = s.run(dupMm(s.mm)) as MmStruct;
    return [s.run(nouveauSvmmBind(s.process.cli, child, svmBindMigrate(a, 1))), s.table.flags(a) !== 0];
  });
  expect(found).toEqual({ asIs: [0, true], mended: [-EINVAL, false] });
});

test('neverMarksDirty: what the GPU stores after MADV_FREE is lost by reclaim', () => {
  const read = both('neverMarksDirty', (options) => {
    const s = new Setup(options);
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    s.run(sysMadvise(s.mm, a, 1, MADV_FREE));
    s.gpu(a, [0], 'write', 9);
    s.run(sysMadvise(s.mm, a, 1, MADV_PAGEOUT));
    return s.cpuRead(a);
  });
  expect(read).toEqual({ asIs: 0, mended: 9 });
});
