import { Kernel } from '@hmm/kernel';
import { PageTablePool } from '@hmm/kernel/internal';
import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import { DeviceTable, DPT_PRESENT, DPT_XA_TAG_WRITE } from '@hmm/test-device/internal';

const page = fc.oneof(
  fc.nat({ max: 1200 }),
  fc.nat({ max: 1200 }).map((n) => 2 ** 27 - 600 + n),
  fc.nat({ max: 1200 }).map((n) => 2 ** 36 - 1201 + n),
);
const step = fc.oneof(
  fc.record({ op: fc.constant('store' as const), page, pfn: fc.nat({ max: 2 ** 30 }), write: fc.boolean() }),
  fc.record({
    op: fc.constant('erase' as const),
    page,
    pages: fc.oneof(fc.nat({ max: 700 }), fc.constant(2 ** 40)),
  }),
);

test('a device table is what was stored and not erased since, both ends of a range included', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new DeviceTable(new Kernel(), new PageTablePool(64));
      const all = new Map<number, [number, number]>();
      for (const s of steps) {
        if (s.op === 'store') {
          expect(table.store(s.page, s.pfn, s.write ? DPT_XA_TAG_WRITE : 0)).toBe(true);
          all.set(s.page, [s.pfn, DPT_PRESENT | (s.write ? DPT_XA_TAG_WRITE : 0)]);
        } else {
          table.erase(s.page, s.page + s.pages);
          for (const vpn of all.keys()) if (vpn >= s.page && vpn <= s.page + s.pages) all.delete(vpn);
        }
      }
      const found: [number, [number, number]][] = [];
      table.forEach((vpn, pfn, tag) => found.push([vpn, [pfn, tag]]));
      expect(found).toEqual([...all].sort(([a], [b]) => a - b));
      for (const [vpn, [pfn, tag]] of all) expect([table.pfn(vpn), table.tag(vpn)]).toEqual([pfn, tag]);
    }),
    { numRuns: 300 },
  );
});

test('a pool that is used up refuses a store; nothing else is lost', () => {
  const table = new DeviceTable(new Kernel(), new PageTablePool(4));
  expect(table.store(5, 9, 0)).toBe(true);
  expect(table.store(2 ** 30, 9, 0)).toBe(false);
  expect(table.pfn(5)).toBe(9);
});
