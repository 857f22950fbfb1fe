import { expect, test } from 'vitest';
import { tokenize } from '@hmm/workload';

test('words, names, numbers, strings, signs and comments are told apart, and offsets fit the text', () => {
  const text = 'program "x" # first\nmalloc a 64KiB\n';
  const seen = tokenize(text).map((token) => [text.slice(token.offset, token.end), token.class]);
  expect(seen).toEqual([
    ['program', 'keyword'],
    ['"x"', 'string'],
    ['# first', 'comment'],
    ['malloc', 'keyword'],
    ['a', 'name'],
    ['64KiB', 'number'],
  ]);
});

test('a comment at the very end, without a newline, and text that is no token do not throw', () => {
  expect(tokenize('let x = 1 # end').at(-1)).toEqual({ offset: 10, end: 15, class: 'comment' });
  expect(tokenize('§§ let').map((token) => token.class)).toEqual(['keyword']);
});
