import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';
import type { TraceFormat } from '../../src/readers/index.js';
import { collect, fixture, type Collected } from './collect.js';

const FORMATS: readonly (readonly [TraceFormat, string])[] = [
  ['lackey', 'stride.lackey'],
  ['perf-script', 'stride-exceptions.perf.txt'],
  ['perf-script', 'stride-page-faults.perf.txt'],
  ['ftrace', 'stride.ftrace.txt'],
  ['cupti-jsonl', 'cupti.jsonl'],
  ['nvbit', 'vecadd.nvbit.txt'],
  ['accel-sim', 'kernel-1.traceg'],
  ['csv', 'accesses.csv'],
  ['oracle-general', 'kernel-1.traceg'],
];

const RUNS = { seed: 20161118, numRuns: 120 };

/** Every row is one that a machine can play, and the counts add up. */
function soundRows({ accesses, events, result }: Collected): void {
  for (const { page, offset, size, kind } of accesses) {
    const sound =
      Number.isInteger(page) &&
      page >= 0 &&
      page < 2 ** 45 &&
      size >= 1 &&
      offset + size <= 4096 &&
      kind >= 1 &&
      kind <= 4;
    expect(sound, JSON.stringify({ page, offset, size, kind })).toBe(true);
  }
  for (const { page } of events)
    expect(Number.isInteger(page) && page >= -1 && page < 2 ** 45, String(page)).toBe(true);
  expect(result.summary).toMatchObject({ accesses: accesses.length, events: events.length });
  if (!result.ok) expect(result.error.expected).not.toBe('');
}

/** A fixture with some spans replaced, removed or repeated. */
const mangled = (name: string): fc.Arbitrary<Uint8Array> => {
  const bytes = fixture(name);
  const edit = fc.record({
    at: fc.nat(bytes.length),
    remove: fc.nat(40),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc
        .constantFrom('0xffffffffffffffffff', '\n', ' - ', '18446744073709551616', '-1', '\0', '1e999', ',')
        .map((text) => new TextEncoder().encode(text)),
      fc
        .record({ from: fc.nat(bytes.length), length: fc.nat(400) })
        .map(({ from, length }) => bytes.slice(from, from + length)),
    ),
  });
  return fc.array(edit, { minLength: 1, maxLength: 6 }).map((edits) => {
    let result = Array.from(bytes);
    for (const { at, remove, insert } of edits)
      result = [...result.slice(0, at), ...insert, ...result.slice(at + remove)];
    return Uint8Array.from(result);
  });
};

describe.each(FORMATS)('the %s reader on a mangled %s', (format, name) => {
  it('never throws and hands on sound rows only', () => {
    fc.assert(
      fc.property(mangled(name), (bytes) => {
        soundRows(collect(bytes, { format }));
      }),
      RUNS,
    );
  });

  it('gives the same for any cut into chunks', () => {
    fc.assert(
      fc.property(mangled(name), fc.integer({ min: 1, max: 3000 }), (bytes, chunk) => {
        expect(collect(bytes, { format }, chunk)).toEqual(collect(bytes, { format }));
      }),
      { ...RUNS, numRuns: 30 },
    );
  });
});

describe('any bytes at all', () => {
  it('are read, refused or detected as something, without a throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.option(fc.constantFrom(...FORMATS)),
        (bytes, format) => {
          soundRows(collect(bytes, format === null ? {} : { format: format[0] }));
        },
      ),
      { ...RUNS, numRuns: 400 },
    );
  });

  it.each(['stride.lackey.gz', 'stride.lackey.zst'])(
    'in place of some of %s end in one error or in sound rows',
    (name) => {
      fc.assert(
        fc.property(mangled(name), fc.integer({ min: 1, max: 500 }), (bytes, chunk) => {
          soundRows(collect(bytes, {}, chunk));
        }),
        RUNS,
      );
    },
  );
});
