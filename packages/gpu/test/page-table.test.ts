import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';
import {
  GPU_LEAF_4K,
  GPU_PTE_ATOMIC,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  GpuPageTable,
} from '@hmm/gpu';

const BASE = 0x7f0000000;
const RW = GPU_PTE_VALID | GPU_PTE_WRITE;
/** Bits that accesses need, by kind: 0 reads, 1 writes. */
const NEEDS = Int32Array.of(GPU_PTE_VALID, RW);

describe('GPU page table', () => {
  it('maps a whole aligned block by one 2 MiB leaf, and splits it on the first partial change', () => {
    const table = new GpuPageTable(64);
    table.map(BASE, 512, 1024, RW);
    expect(table.leafOrder(BASE + 511)).toBe(9);
    expect(table.frame(BASE + 300)).toBe(1324);
    table.unmap(BASE + 5, 1);
    expect(table.leafOrder(BASE + 5)).toBe(-1);
    expect(table.leafOrder(BASE + 4)).toBe(0);
    expect(table.leafOrder(BASE + 64)).toBe(4);
    expect(table.frame(BASE + 511)).toBe(1535);
  });

  it('uses 64 KiB leaves only where address and frame agree, and never for whom asks for 4 KiB', () => {
    const table = new GpuPageTable(64);
    table.map(BASE + 16, 32, 16, RW);
    expect(table.leafOrder(BASE + 16)).toBe(4);
    table.map(BASE + 64, 32, 3, RW);
    expect(table.leafOrder(BASE + 64)).toBe(0);
    table.map(BASE + 128, 32, 128, RW, GPU_LEAF_4K);
    expect(table.leafOrder(BASE + 128)).toBe(0);
  });

  it('takes rights away without losing the mapping', () => {
    const table = new GpuPageTable(64);
    table.map(BASE, 512, 0, RW | GPU_PTE_ATOMIC);
    table.protect(BASE + 16, 16, ~GPU_PTE_ATOMIC);
    expect(table.flags(BASE + 16) & (RW | GPU_PTE_ATOMIC)).toBe(RW);
    expect(table.flags(BASE + 15) & GPU_PTE_ATOMIC).not.toBe(0);
  });

  it('agrees with a flat map, through the TLB too, whatever is done to it', () => {
    const step = fc.record({
      kind: fc.constantFrom('map', 'unmap', 'protect'),
      first: fc.integer({ min: 0, max: 1500 }),
      pages: fc.integer({ min: 1, max: 600 }),
      frame: fc.integer({ min: 0, max: 4096 }),
      sys: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const table = new GpuPageTable(16);
        const model = new Map<number, { flags: number; frame: number }>();
        for (const { kind, first, pages, frame, sys } of steps) {
          if (kind === 'map') table.map(BASE + first, pages, frame, sys ? RW | GPU_PTE_SYSMEM : RW);
          else if (kind === 'unmap') table.unmap(BASE + first, pages);
          else table.protect(BASE + first, pages, ~GPU_PTE_WRITE);
          for (let page = first; page < first + pages; page++) {
            const old = model.get(page);
            if (kind === 'unmap') model.delete(page);
            else if (kind === 'map')
              model.set(page, { flags: sys ? RW | GPU_PTE_SYSMEM : RW, frame: frame + page - first });
            else if (old !== undefined) model.set(page, { ...old, flags: old.flags & ~GPU_PTE_WRITE });
          }
          const looked = [first, first + pages - 1, first + pages, Math.max(0, first - 1)];
          const faulting = looked.findIndex((page) => ((model.get(page)?.flags ?? 0) & RW) !== RW);
          const stop = faulting < 0 ? looked.length : faulting;
          const batch = Int32Array.from(looked);
          expect(table.tlb.access(BASE, batch, 0, looked.length, RW)).toBe(stop);
          const kinds = new Uint8Array(looked.length).fill(1);
          expect(table.tlb.accessKinds(BASE, batch, kinds, NEEDS, 0, looked.length)).toBe(stop);
          for (const page of looked) {
            const want = model.get(page);
            const flags = table.tlb.flags(BASE + page) & (RW | GPU_PTE_SYSMEM);
            expect(flags).toBe(want?.flags ?? 0);
            if (want !== undefined) expect(table.frame(BASE + page)).toBe(want.frame);
          }
        }
      }),
    );
  });

  it('tells what changed since a moment, unless that is long ago', () => {
    const table = new GpuPageTable(64);
    const out = new Float64Array(2);
    const seen = table.invalidations;
    table.map(BASE + 3, 2, 0, RW);
    table.unmap(BASE + 40, 1);
    table.change(seen, out);
    expect([...out]).toEqual([BASE + 3, BASE + 5]);
    table.change(seen + 1, out);
    expect([...out]).toEqual([BASE + 40, BASE + 41]);
    expect(table.knowsSince(seen)).toBe(true);
    for (let i = 0; i < 2000; i++) table.unmap(BASE, 1);
    expect(table.knowsSince(seen)).toBe(false);
  });
});

describe('batches through the TLB', () => {
  it('stop at the first page that lacks a right and count what crosses the link', () => {
    const table = new GpuPageTable(64);
    table.map(BASE, 8, 0, RW | GPU_PTE_SYSMEM);
    table.map(BASE + 8, 8, 8, GPU_PTE_VALID);
    const pages = Int32Array.from([0, 1, 7, 8, 2]);
    expect(table.tlb.access(BASE, pages, 0, 5, GPU_PTE_VALID)).toBe(5);
    expect(table.tlb.remote).toBe(4);
    expect(table.tlb.access(BASE, pages, 0, 5, RW)).toBe(3);
  });

  it('do not look where leaves were before they moved', () => {
    const table = new GpuPageTable(64);
    const first = Int32Array.of(0);
    table.map(BASE, 1, 7, RW);
    expect(table.tlb.access(BASE, first, 0, 1, RW)).toBe(1);
    // One leaf takes the place of the table, which serves another 2 MiB from now on.
    table.map(BASE, 512, 512, RW);
    table.map(BASE + 1024, 1, 8, RW);
    table.unmap(BASE, 512);
    expect(table.tlb.access(BASE, first, 0, 1, RW)).toBe(0);
  });

  it('ask of each access what its kind needs', () => {
    const table = new GpuPageTable(64);
    table.map(BASE, 8, 0, RW | GPU_PTE_SYSMEM);
    table.map(BASE + 8, 8, 8, GPU_PTE_VALID);
    const pages = Int32Array.from([0, 8, 1, 9, 2]);
    expect(table.tlb.accessKinds(BASE, pages, Uint8Array.of(1, 0, 1, 0, 1), NEEDS, 0, 5)).toBe(5);
    expect(table.tlb.remote).toBe(3);
    expect(table.tlb.accessKinds(BASE, pages, Uint8Array.of(1, 0, 1, 1, 1), NEEDS, 0, 5)).toBe(3);
    expect(table.tlb.remote).toBe(2);
  });

  it('are right on both sides of a boundary of 2^32 pages', () => {
    const table = new GpuPageTable(64);
    const edge = 2 ** 32 - 2;
    table.map(edge, 4, 100, RW);
    expect(table.tlb.flags(edge + 1)).toBe(RW);
    expect(table.tlb.flags(edge + 2)).toBe(RW);
    table.unmap(edge + 2, 1);
    expect(table.tlb.flags(edge + 2)).toBe(0);
    expect(table.tlb.access(edge, Int32Array.from([0, 1, 2, 3]), 0, 4, GPU_PTE_VALID)).toBe(2);
  });
});
