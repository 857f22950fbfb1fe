import { fc } from '@hmm/config/property';
import type { ToyOp } from './toys.js';

const cellOp = fc.tuple(
  fc.constantFrom('read', 'write', 'up', 'down', 'fallible' as const),
  fc.integer({ min: 0, max: 2 }),
);
const cells = fc.array(cellOp, { minLength: 0, maxLength: 2 });
const section = fc.oneof(
  cells,
  fc
    .tuple(fc.integer({ min: 0, max: 1 }), cells)
    .map(([m, ops]): ToyOp[] => [['lock', m], ...ops, ['unlock', m]]),
  fc
    .tuple(fc.integer({ min: 0, max: 1 }), cells)
    .map(([m, ops]): ToyOp[] => [
      ['lock', m],
      ['lock', 1 - m],
      ...ops.slice(0, 1),
      ['unlock', m],
      ['unlock', 1 - m],
    ]),
  cells.map((ops): ToyOp[] => [['down_read', 0], ...ops, ['up_read', 0]]),
  cells.map((ops): ToyOp[] => [['down_write', 0], ...ops, ['up_write', 0]]),
  fc.integer({ min: 0, max: 1 }).map((m): ToyOp[] => [['try', m]]),
  fc.integer({ min: 0, max: 1 }).map((m): ToyOp[] => [['try_at_once', m]]),
  fc.integer({ min: 0, max: 2 }).map((c): ToyOp[] => [
    ['await', c],
    ['read', c],
  ]),
);
const thread = fc.array(section, { minLength: 1, maxLength: 2 }).map((parts) => parts.flat() as ToyOp[]);
const size = (threads: ToyOp[][]): number => threads.reduce((sum, ops) => sum + ops.length, 0);

/** Two or three threads of a toy, small enough for plain search. */
export const randomPrograms = fc
  .array(thread, { minLength: 2, maxLength: 3 })
  .filter((threads) => size(threads) <= (threads.length === 2 ? 11 : 7));
