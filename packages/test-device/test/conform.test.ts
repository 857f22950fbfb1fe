import { HmmError } from '@hmm/kernel';
import { describe, expect, test } from 'vitest';
import { conform, parseCorpusLine } from '@hmm/test-device/conform';

const head = (script: string, ops: number, more = {}): string =>
  JSON.stringify({ script, family: 'basic', ops, ...more });
const op = (text: string, shown: object, p = 0): string => JSON.stringify({ p, op: text, ...shown });

/** The first example: the CPU stores 5, the device loads it; then the page is migrated and read home. */
const FIRST = [
  op('mmap 0 4 rw anon', { rc: 0 }),
  op('dopen 0', { rc: 0 }),
  op('cw 0 1 1 5', { sig: [] }),
  op('dread 0 0 1 1', { rc: 0, cpages: 1, faults: 1, v: [5] }),
  op('snap 0 0 0 4', { rc: 0, cpages: 4, faults: 0, v: [0, 2, 0, 0] }),
  op('todev 0 0 1 1', { rc: 0, cpages: 1, faults: 0, v: [5], inv: [['MIGRATE', 0, 0, 1, 1]] }),
  op('pm 0 0 2', { v: ['', 'S'] }),
  op('cr 0 1 1', { v: [5], inv: [['MIGRATE', 0, 0, 1, 1]] }),
  op('fork', { inv: [['PROTECTION_PAGE', 0, 0, 0, 4]] }),
  op('cw 0 1 1 6', { sig: [] }, 1),
  op('cr 0 1 1', { v: [5] }),
  op('wait', {}),
];

test('the first example, on a private device', async () => {
  const result = await conform([head('000001-basic', FIRST.length), ...FIRST]);
  expect(result.mismatches).toEqual([]);
  expect(result).toEqual({
    version: 1,
    scripts: 1,
    ops: 12,
    matched: 12,
    families: { basic: { scripts: 1, scripts_matched: 1, ops: 12, matched: 12 } },
    mismatches: [],
  });
});

test('what follows a mismatch in its script does not count; the next script does', async () => {
  const lines = [
    head('a', 3),
    op('mmap 0 4 rw anon', { rc: 0 }),
    op('cr 0 0 1', { v: [9] }),
    op('cr 0 0 1', { v: [0] }),
    head('b', 1),
    op('mmap 0 4 rw anon', { rc: 0 }),
  ];
  const result = await conform(lines);
  expect([result.scripts, result.ops, result.matched]).toEqual([2, 4, 2]);
  expect(result.mismatches).toEqual([
    { script: 'a', line: 3, op: 'cr 0 0 1', expected: { v: [9] }, got: { v: [0] } },
  ]);
  expect(result.families).toEqual({ basic: { scripts: 2, scripts_matched: 1, ops: 4, matched: 2 } });
});

test.each([
  ['a return value', 'munmap 0 0 1', { rc: -22 }],
  ['an invalidation too many', 'munmap 0 0 1', { rc: 0, inv: [['UNMAP', 0, 0, 0, 1]] }],
  ['a signal', 'cw 0 0 1 1', { sig: [0] }],
  ['a field too many', 'munmap 0 0 1', { rc: 0, cpages: 0 }],
])('%s that differs is a mismatch', async (_what, text, shown) => {
  const result = await conform([head('a', 2), op('mmap 0 4 rw anon', { rc: 0 }), op(text, shown)]);
  expect([result.ops, result.matched]).toEqual([2, 1]);
});

test('scripts that are not judged are run for what they do to the devices, and not counted', async () => {
  const script = (values: number[][]): string[] => [
    op('mmap 0 2 rw anon', { rc: 0 }),
    op('dopen 0', { rc: 0 }),
    op('todev 0 0 0 2', {
      rc: 0,
      cpages: 2,
      faults: 0,
      v: [0, 0],
      inv: [
        ['MIGRATE', 0, 0, 0, 2],
        ['MIGRATE', 0, 0, 0, 2],
      ],
    }),
    op('munmap 0 0 2', { rc: 0, inv: [['UNMAP', 0, 0, 0, 2]] }),
    op('mmap 1 2 rw anon', { rc: 0 }),
    op('todev 0 1 0 2', {
      rc: 0,
      cpages: 2,
      faults: 0,
      v: [0, 0],
      inv: [
        ['MIGRATE', 0, 1, 0, 2],
        ['MIGRATE', 0, 1, 0, 2],
      ],
    }),
    op('drelease 0 1 0 2', {
      rc: 0,
      cpages: 0,
      faults: 0,
      inv: values.map(([page]) => ['CLEAR', 0, 1, page, 1]),
    }),
  ];
  // Frames are a stack: pages freed in ascending order are handed out in descending order the next time.
  const fresh = [[1], [0]];
  const turned = [[0], [1]];
  const judged = await conform([head('a', 7), ...script(fresh)]);
  const other = await conform([head('a', 7), ...script(turned)]);
  expect([judged.matched, other.matched].sort()).toEqual([6, 7]);
  const skipped = await conform([
    head('a', 7, { judged: false }),
    ...script(turned),
    head('b', 1),
    FIRST[0] ?? '',
  ]);
  expect([skipped.scripts, skipped.ops, skipped.matched]).toEqual([1, 1, 1]);
});

describe('a corpus that cannot be read', () => {
  test.each([
    ['broken JSON', ['{"script":'], 1, 'not JSON'],
    ['a line that is no object', [head('a', 0), '7'], 2, 'an object is expected'],
    ['an unknown operation', [head('a', 1), op('explode 1', {})], 2, 'unknown operation "explode"'],
    ['a word too few', [head('a', 1), op('mmap 0 4 rw', {})], 2, 'a word is missing'],
    ['a word that is no number', [head('a', 1), op('cr 0 x 1', {})], 2, '"x" is not a number'],
    ['an unknown kind', [head('a', 1), op('mmap 0 4 rw sysv', {})], 2, 'is none of anon'],
    ['a process that cannot be', [head('a', 1), op('cr 0 0 1', {}, 2)], 2, '"p" must be 0 or 1'],
    ['an operation before its script', [op('cr 0 0 1', {})], 1, 'before the first script'],
    ['a child that is not there', [head('a', 1), op('cr 0 0 1', {}, 1)], 2, 'a child that is not there'],
    ['a wait without a child', [head('a', 1), op('wait', {})], 2, 'a wait without a child'],
    ['a value of another kind', [head('a', 1), op('cr 0 0 1', { v: 3 })], 2, '"v" must be a list'],
    ['an invalidation of another shape', [head('a', 1), op('cr 0 0 1', { inv: [['CLEAR']] })], 2, '"inv"'],
    ['a script that is too short', [head('a', 2), op('mmap 0 4 rw anon', {})], 2, 'has 1 operations, not 2'],
  ])('%s names its line', async (_what, lines, line, words) => {
    const error: unknown = await conform(lines).catch((thrown: unknown) => thrown);
    if (!(error instanceof HmmError)) throw new Error('nothing was thrown');
    expect(error.code).toBe('CORPUS');
    expect(error.data['line']).toBe(line);
    expect(error.message).toContain(words);
  });

  test('names that objects inherit are no operations', () => {
    for (const text of ['constructor', 'toString 1'])
      expect(() => parseCorpusLine(op(text, {}), 1)).toThrow(
        `unknown operation "${text.split(' ')[0] ?? ''}"`,
      );
  });
});

test('a head line and an operation line, as they are read', () => {
  expect(parseCorpusLine(head('a', 3), 1)).toEqual({
    kind: 'script',
    script: 'a',
    family: 'basic',
    ops: 3,
    judged: true,
  });
  expect(parseCorpusLine(op('dwrite 1 0 7 2 248', { rc: -1 }), 2)).toMatchObject({
    kind: 'operation',
    process: 0,
    text: 'dwrite 1 0 7 2 248',
    operation: {
      definition: { kind: 'dwrite' },
      args: { device: '1', range: { vpn: 0x100000007, pages: 2 }, value: 248 },
    },
    expected: { rc: -1 },
  });
});
