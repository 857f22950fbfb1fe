import { fc } from '@hmm/config/property';
import { Prng } from '@hmm/kernel';
import { expect, test } from 'vitest';
import { IntervalTree } from '@hmm/mmu-notifier/internal';

interface Interval {
  slot: number;
  start: number;
  last: number;
}

const overlapping = (all: readonly Interval[], start: number, last: number): number[] =>
  all.filter((i) => i.start <= last && i.last >= start).map((i) => i.slot);

const page = fc.integer({ min: 0, max: 40 });
const step = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), start: page, pages: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ kind: fc.constant('remove' as const), pick: fc.nat() }),
  fc.record({ kind: fc.constant('restore' as const) }),
);

test('finds what a sorted list finds, in its order, through inserts, removals and restores', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), page, page, (steps, a, b) => {
      const tree = new IntervalTree();
      let list: Interval[] = [];
      let slots = 0;
      let saved = { state: tree.save(), list };
      for (const op of steps) {
        if (op.kind === 'insert') {
          const item = {
            slot: ++slots,
            start: op.start * 2 ** 40,
            last: (op.start + op.pages - 1) * 2 ** 40,
          };
          tree.insert(item.slot, item.start, item.last);
          const behind = list.findIndex((i) => i.start > item.start);
          list = behind < 0 ? [...list, item] : [...list.slice(0, behind), item, ...list.slice(behind)];
        } else if (op.kind === 'remove' && list.length > 0) {
          const gone = list[op.pick % list.length];
          if (gone !== undefined) tree.remove(gone.slot);
          list = list.filter((i) => i !== gone);
        } else if (op.kind === 'restore') {
          tree.restore(saved.state);
          list = saved.list;
          saved = { state: tree.save(), list };
        }
      }
      const queries = Array.from({ length: 53 }, (_, at): [number, number] => [at, at]);
      queries.push([Math.min(a, b), Math.max(a, b)]);
      for (const [low, high] of queries) {
        const [start, last] = [low * 2 ** 40, high * 2 ** 40];
        const found: number[] = [];
        tree.collect(start, last, found);
        expect(found).toEqual(overlapping(list, start, last));
        expect(tree.overlaps(start, last)).toBe(found.length > 0);
      }
    }),
    { numRuns: 200 },
  );
});

test('ten thousand intervals stay shallow: a look-up visits few nodes, whatever the order of insertion', () => {
  const tree = new IntervalTree();
  for (let i = 1; i <= 10_000; i++) tree.insert(i, i * 512, i * 512 + 511);
  const found: number[] = [];
  tree.collect(512 * 5000, 512 * 5002 - 1, found);
  expect(found).toEqual([5000, 5001]);
  for (let i = 1; i <= 10_000; i += 2) tree.remove(i);
  found.length = 0;
  tree.collect(512 * 5000, 512 * 5002 - 1, found);
  expect(found).toEqual([5000]);
});

test('slots are used again, also where many intervals start at one page', () => {
  const prng = new Prng(5);
  const tree = new IntervalTree();
  const live = new Map<number, Interval>();
  for (let i = 0; i < 3000; i++) {
    const slot = 1 + prng.below(24);
    if (live.delete(slot)) tree.remove(slot);
    else {
      const start = prng.below(4);
      const item = { slot, start, last: start + prng.below(12) };
      tree.insert(slot, item.start, item.last);
      live.set(slot, item);
    }
    const at = prng.below(16);
    const found: number[] = [];
    tree.collect(at, at, found);
    expect(found.sort((a, b) => a - b)).toEqual(
      overlapping([...live.values()], at, at).sort((a, b) => a - b),
    );
    for (const { start, last } of live.values()) expect(tree.overlaps(start, last)).toBe(true);
  }
});
