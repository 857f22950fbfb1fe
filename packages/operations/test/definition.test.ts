import { formatRecorded, operation, OPERATIONS, parseRecorded, type AnyOperation } from '@hmm/operations';
import { line, onDevice, pages, RECORDED_OPERATIONS, returned, SHOWS_ERRNO } from '@hmm/operations/internal';
import { describe, expect, test } from 'vitest';

const ALL: readonly AnyOperation[] = [...OPERATIONS, ...RECORDED_OPERATIONS];

describe('a definition that lacks a part does not compile', () => {
  const names = { kind: 'touch', summary: 'Touches pages.', results: true, side: 'gpu' } as const;
  const syntax = { parts: [pages, onDevice] } as const;
  const does = {
    *run() {
      return returned(0);
    },
  };
  const returns = { returns: 'errno' } as const;
  const records = { recorded: [] } as const;
  const whole = { ...names, ...syntax, ...does, ...returns, ...records };

  test('a whole one does', () => {
    expect(operation(whole).kind).toBe('touch');
  });

  test('without what it does', () => {
    // @ts-expect-error an operation does something
    expect(operation({ ...names, ...syntax, ...returns, ...records }).kind).toBe('touch');
  });

  test('without what it returns', () => {
    // @ts-expect-error an operation says what `-> NAME` gets
    expect(operation({ ...names, ...syntax, ...does, ...records }).kind).toBe('touch');
  });

  test('without how it is recorded', () => {
    // @ts-expect-error an operation says how it is recorded, also where it is not
    expect(operation({ ...names, ...syntax, ...does, ...returns }).kind).toBe('touch');
  });

  test('without its syntax', () => {
    // @ts-expect-error an operation has a syntax
    expect(operation({ ...names, ...does, ...returns, ...records }).kind).toBe('touch');
  });

  test('with a recorded line that lacks an argument', () => {
    const lacking = { ...whole, recorded: [line('touch', [pages], {}, SHOWS_ERRNO)] } as const;
    // @ts-expect-error the line does not say on which device
    expect(operation(lacking).recorded).toHaveLength(1);
  });

  test('with a task that wants an argument which its parts do not give', () => {
    const bad = {
      ...whole,
      *run(_context: unknown, args: { readonly value: number }) {
        return returned(args.value);
      },
    } as const;
    // @ts-expect-error no part gives a value
    expect(operation<'touch', typeof whole.parts, true>(bad).kind).toBe('touch');
  });
});

test('every operation has a name of its own, and a sentence about what it does', () => {
  expect(new Set(ALL.map(({ kind }) => kind)).size).toBe(ALL.length);
  for (const { kind, summary } of ALL) expect(summary, kind).toMatch(/^[A-Z].*\.$/);
});

const SCRIPTS = [
  'mmap 2 4 rw anon',
  'mmap 0 16 none memfdp',
  'mmap 0 16 none hugetlb',
  'munmap 0 1 2',
  'mprotect 0 0 4 r',
  'madvise 1 0 512 collapse',
  'mremap 0 1 2 3 4',
  'mlock 0 0 4',
  'cw 0 1 2 250',
  'cr 0 1 2',
  'pm 0 0 4',
  'pin 0 0 1 1',
  'unpin',
  'fork',
  'wait',
  'dopen 1',
  'dread 0 1 7 2',
  'dwrite 1 0 7 2 248',
  'todev 2 0 0 4',
  'tosys 2 0 0 4',
  'snap 0 0 0 4',
  'excl 0 0 0 1',
  'chkexcl 0 0 0 1',
  'drelease 0 0 0 1',
  'dflags 0 0 0 1',
  'dreadu 0 0 0 1',
  'ropen',
  'reg 0 0 3 1 rwa',
  'dereg 0',
  'adv 0 4 3 r',
  'rread 0 0 1',
  'rwrite 1 1 1 200',
  'radd 0 0 1',
  'lsend 0 332 10',
  'lrecv 1 1 1 99',
];
const RACES = ['forkcr 0 1 2', 'forkcw 0 1 2 7', 'munlock 0 0 1', 'dclose 0', 'pin 0 0 1 0'];

describe('a recorded operation is written back as it was read', () => {
  test.each(SCRIPTS)('%s', (text) => {
    expect(formatRecorded(parseRecorded(text, 'scripts'))).toBe(text);
  });

  test.each(RACES)('%s', (text) => {
    expect(formatRecorded(parseRecorded(text, 'races'))).toBe(text);
  });

  test('each line of each definition is among these', () => {
    const words = new Set(ALL.flatMap(({ recorded }) => recorded.map(({ word }) => word)));
    expect(words).toEqual(new Set([...SCRIPTS, ...RACES].map((text) => text.split(' ')[0])));
  });
});

test.each(['', 'explode 1', 'cr 0 x 1', 'cr 0 0', 'cr 0 0 1 1', 'mmap 0 4 rw sysv', 'constructor'])(
  'no recorded operation: %j',
  (text) => {
    expect(() => parseRecorded(text, 'scripts')).toThrow(`'${text}'`);
  },
);
