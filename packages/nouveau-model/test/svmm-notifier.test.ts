import { describe, expect, test } from 'vitest';
import { EAGAIN, ENOENT, type Task } from '@hmm/kernel';
import { PROT_READ, sysMprotect, sysMunmap } from '@hmm/mm';
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_MIGRATE,
  MmuNotifierRange,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInit,
  mmuNotifierRangeInitOwner,
} from '@hmm/mmu-notifier';
import { HOME, REMOTE, Setup, VRAM, upTo } from './setup.js';

/** Announces a change as the kernel would, and ends it; what the start returned. */
function* announce(range: MmuNotifierRange): Task<number> {
  const started = mmuNotifierInvalidateRangeStart(range);
  const ret = typeof started === 'number' ? started : yield* started;
  if (ret === 0) mmuNotifierInvalidateRangeEnd(range);
  return ret;
}

function mirrored(pages: number, options = {}): { s: Setup; a: number } {
  const s = new Setup(options);
  const a = s.malloc(pages);
  s.cpuWrite(a, pages, 1);
  s.gpu(a, upTo(pages));
  return { s, a };
}

describe('the notifier of the whole mm (nouveau.md 8)', () => {
  test('whatever the event, the mappings of the range go, and only those', () => {
    const { s, a } = mirrored(4);
    s.run(announce(mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, s.mm, a + 1, a + 3)));
    expect(s.residency(a, 4)).toEqual([REMOTE, HOME, HOME, REMOTE]);
    expect(s.counters.invalidations).toBe(1);
  });

  test('a range that is not blockable is refused with EAGAIN, and nothing is cleared', () => {
    const { s, a } = mirrored(1);
    const range = new MmuNotifierRange(MMU_NOTIFY_CLEAR, 0, s.mm, a, a + 1, 0);
    expect(s.run(announce(range))).toBe(-EAGAIN);
    expect(s.residency(a, 1)).toEqual([REMOTE]);
  });

  test('own migrations are passed over, those of another owner are not', () => {
    const { s, a } = mirrored(2);
    const { owner } = s.client.drm;
    s.run(announce(mmuNotifierRangeInitOwner(MMU_NOTIFY_MIGRATE, s.mm, a, a + 2, owner)));
    expect(s.residency(a, 2)).toEqual([REMOTE, REMOTE]);
    s.run(announce(mmuNotifierRangeInitOwner(MMU_NOTIFY_MIGRATE, s.mm, a, a + 2, owner + 1)));
    expect(s.residency(a, 2)).toEqual([HOME, HOME]);
  });

  test('the unmanaged interval is left out', () => {
    const start = 0x500000;
    const { s } = mirrored(1, { unmanaged: { addr: (start + 2) * 4096, size: 2 * 4096 } });
    const { vmm } = s.process.svmm;
    const mapped = upTo(6).map((i) => vmm.pfnmap(start + i, 12, Int32Array.of(1, 2000 + i), 1));
    expect(mapped).toEqual([0, 0, -ENOENT, -ENOENT, 0, 0]);
    s.run(announce(mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, s.mm, start, start + 6)));
    expect(upTo(6).map((i) => s.table.flags(start + i))).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('a range over the whole address space is cleared as any other', () => {
    const { s, a } = mirrored(3);
    s.run(announce(mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, s.mm, 0, 2 ** 52)));
    expect(s.residency(a, 3)).toEqual([HOME, HOME, HOME]);
  });

  test('munmap: the GPU loses the pages, a later access is cancelled', () => {
    const { s, a } = mirrored(2);
    s.run(sysMunmap(s.mm, a, 2));
    expect(s.residency(a, 2)).toEqual([0, 0]);
    expect(s.gpu(a, [0]).errno).toBeLessThan(0);
  });

  test('mprotect to read-only: cleared, mapped read-only again, a store is cancelled (drivers-compared.md 1)', () => {
    const { s, a } = mirrored(1);
    s.run(sysMprotect(s.mm, a, 1, PROT_READ));
    expect(s.residency(a, 1)).toEqual([HOME]);
    expect(s.gpu(a, [0]).values).toEqual([1]);
    expect(s.residency(a, 1)).toEqual([HOME | 8]);
    expect(s.gpu(a, [0], 'write', 1).errno).toBeLessThan(0);
  });

  test('the clearing takes time only where something was mapped', () => {
    const { s, a } = mirrored(1);
    const b = s.malloc(1);
    s.cpuWrite(b, 1, 1);
    s.run(sysMunmap(s.mm, b, 1));
    expect(s.counters.timeNs.invalidating).toBe(0);
    s.run(sysMunmap(s.mm, a, 1));
    expect(s.counters.timeNs.invalidating).toBe(s.client.drm.cost.pfnclr.value);
  });
});

describe('closing', () => {
  test('the notifier is unregistered, the channel is gone; mended, device memory is emptied', () => {
    const s = new Setup({ mended: ['keepsFreedSvmm'] });
    const a = s.malloc(4);
    s.cpuWrite(a, 4, 1);
    s.run(s.process.prefetch(a, 4, 'gpu'));
    expect(s.residency(a, 4)).toEqual(upTo(4).map(() => VRAM));
    s.run(s.process.close());
    s.run(s.process.close());
    expect(s.mm.notifierSubscriptions?.notifiers).toEqual([]);
    expect(s.client.drm.dmem?.used).toBe(0);
    expect(upTo(4).map((i) => s.cpuRead(a + i))).toEqual([1, 2, 3, 4]);
    expect(s.counters).toMatchObject({ cpuFaults: 0, byCause: { close: { toHost: 4 * 4096 } } });
  });

  test('as the driver is, what is in device memory then crashes the kernel at the next touch of the CPU', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    s.run(s.process.close());
    expect(() => s.cpuRead(a)).toThrow('the kernel crashes in nouveau_svmm_invalidate');
  });
});
