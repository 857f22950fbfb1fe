import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { requestOf, runOnClient } from '@hmm/cli';
import { mlx5Factory } from '@hmm/mlx5-model';
import { rxeFactory } from '@hmm/rxe-model';

const FOLDER = new URL('../programs/odp/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.hmm'));
const FACTORIES = [rxeFactory(), mlx5Factory()];
const OPTIONS = { json: false, seed: 1, set: new Map<string, string>(), gpu: undefined, client: undefined };

/** What a program's names hold afterwards, by driver; its assertions hold under both. */
function run(number: string): { readonly rxe: Shown; readonly mlx5: Shown } {
  const file = FILES.find((name) => name.startsWith(number)) ?? '';
  const read = requestOf(readFileSync(new URL(file, FOLDER), 'utf8'), file, OPTIONS, FACTORIES);
  if (!read.ok) throw new Error(read.messages.join('\n'));
  const { request } = read;
  const [rxe, mlx5] = FACTORIES.map((factory) => {
    const made = runOnClient(request, factory, factory.gpus[0] ?? '');
    if (!made.ok) throw new Error(made.message);
    const { report, run: ran, client } = made;
    expect({ client: factory.name, error: report.error, failed: report.failed }).toEqual({
      client: factory.name,
      error: null,
      failed: [],
    });
    return { maps: client.counters().remoteMaps, moved: report.bytes_to_device, results: ran.results };
  });
  if (rxe === undefined || mlx5 === undefined) throw new Error('a client is missing');
  return { rxe, mlx5 };
}

interface Shown {
  /** Pages that faults have brought. */
  readonly maps: number;
  readonly moved: number;
  readonly results: ReadonlyMap<string, readonly number[]>;
}

test.each([
  ['01', 1, 1],
  ['02', 1, 1],
  ['03', 2, 1],
  ['05', 1, 1],
  ['06', 1, 1],
  ['07', 1, 1],
])('program %s: rxe serves %i pages by faults, mlx5 %i, and nothing moves', (number, rxePages, mlx5Pages) => {
  const { rxe, mlx5 } = run(number);
  expect({ rxe: rxe.maps, mlx5: mlx5.maps }).toEqual({ rxe: rxePages, mlx5: mlx5Pages });
  expect([rxe.moved, mlx5.moved]).toEqual([0, 0]);
});

test('program 04: rxe reads memory that may not be written, mlx5 completes with an access error', () => {
  const { rxe, mlx5 } = run('04');
  expect(rxe.results.get('e')).toEqual([0]);
  expect(mlx5.results.get('e')).toEqual([-10]);
});

test('program 08: advice for a neighbour takes the writing away under mlx5 alone', () => {
  const { rxe, mlx5 } = run('08');
  // Page 3 for the read, 4 and 5 for the advice; under mlx5 page 4 once more for the write.
  expect({ rxe: rxe.maps, mlx5: mlx5.maps }).toEqual({ rxe: 3, mlx5: 4 });
});

test('program 09: rxe has no implicit regions, mlx5 reads through leaves', () => {
  const { rxe, mlx5 } = run('09');
  expect(rxe.results.get('e')).toEqual([-95]);
  expect(['x', 'y', 'z'].map((name) => mlx5.results.get(name))).toEqual([[5], [7], [5]]);
});

test('program 10: an access of the device is a request of a peer', () => {
  const { rxe, mlx5 } = run('10');
  expect([rxe.moved, mlx5.moved]).toEqual([0, 0]);
});
