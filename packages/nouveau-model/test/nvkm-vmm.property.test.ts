import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GPU_PTE_VALID, GpuPageTable } from '@hmm/gpu';
import { ENOENT, Kernel } from '@hmm/kernel';
import { nouveauBehaviours, NvkmVmm } from '@hmm/nouveau-model/internal';

const NR = 512;
const PAGES = 4 * NR;
/** The unmanaged interval, on a boundary of 2 MiB. */
const HOLE = { start: 2 * NR, limit: 2 * NR + NR };

const step = fc.oneof(
  fc.record({
    what: fc.constant('map' as const),
    vpn: fc.nat(PAGES - 8),
    entries: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
  }),
  fc.record({ what: fc.constant('map huge' as const), slot: fc.constantFrom(0, 1, 3), valid: fc.boolean() }),
  fc.record({
    what: fc.constant('clear' as const),
    vpn: fc.nat(PAGES - 1),
    pages: fc.integer({ min: 1, max: PAGES }),
  }),
);

/** What a plain map of pages would hold: the frame by page, and which pages belong to a 2 MiB entry. */
class Plain {
  readonly frames = new Map<number, number>();
  readonly huge = new Set<number>();

  clear(start: number, end: number): void {
    for (const slot of [...this.huge]) {
      if (slot >= end || slot + NR <= start) continue;
      this.huge.delete(slot);
      for (let vpn = slot; vpn < slot + NR; vpn++) this.frames.delete(vpn);
    }
    for (let vpn = start; vpn < end; vpn++) this.frames.delete(vpn);
  }
}

const inHole = (vpn: number): boolean => vpn >= HOLE.start && vpn < HOLE.limit;

test('with its defects mended nvkm maps what a plain table would, whatever is mapped and cleared', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const vmm = new NvkmVmm(new GpuPageTable(64), HOLE, nouveauBehaviours(new Kernel(), { mended: 'all' }));
      const plain = new Plain();
      let frame = NR;
      for (const one of steps) {
        frame += NR;
        if (one.what === 'clear') {
          const end = Math.min(PAGES, one.vpn + one.pages);
          vmm.pfnclr(one.vpn, end);
          if (!inHole(one.vpn)) plain.clear(one.vpn, end);
        } else if (one.what === 'map huge') {
          // As the driver does: what was mapped there by small pages was cleared before.
          vmm.pfnclr(one.slot * NR, one.slot * NR + NR);
          plain.clear(one.slot * NR, one.slot * NR + NR);
          if (!one.valid) continue;
          expect(vmm.pfnmap(one.slot * NR, 21, Int32Array.of(1, frame), 1)).toBe(0);
          plain.huge.add(one.slot * NR);
          for (let i = 0; i < NR; i++) plain.frames.set(one.slot * NR + i, frame + i);
        } else {
          const { vpn, entries } = one;
          vmm.pfnclr(vpn, vpn + entries.length);
          if (!inHole(vpn)) plain.clear(vpn, vpn + entries.length);
          const phys = Int32Array.from(entries.flatMap((valid, i) => [valid ? 1 : 0, frame + i]));
          expect(vmm.pfnmap(vpn, 12, phys, entries.length)).toBe(inHole(vpn) ? -ENOENT : 0);
          if (inHole(vpn)) continue;
          for (const [i, valid] of entries.entries())
            if (valid && !inHole(vpn + i)) plain.frames.set(vpn + i, frame + i);
        }
      }
      for (let vpn = 0; vpn < PAGES; vpn++) {
        const valid = (vmm.table.flags(vpn) & GPU_PTE_VALID) !== 0;
        expect(valid ? vmm.table.frame(vpn) : undefined, `page ${vpn}`).toBe(plain.frames.get(vpn));
      }
    }),
    { numRuns: 150, seed: 612 },
  );
});
