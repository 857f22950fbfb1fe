import { splitSettings } from '@hmm/machine';
import { expect, test } from 'vitest';

const factory = { settings: { vram: 'device memory, MiB', depth: 'a number' } };
const split = (key: string, value: string): string | undefined => {
  const done = splitSettings(new Map([[key, value]]), factory);
  return done.ok ? done.driver.get(key) : done.message;
};

test.each([
  ['8', '8'],
  ['8MiB', '8'],
  ['1GiB', '1024'],
  ['1.5GiB', '1536'],
  ['2048KiB', '2'],
  ['x', 'x'],
])('a size of %s is %s MiB', (value, plain) => {
  expect(split('vram', value)).toBe(plain);
});

test.each(['8MB', '100B', '1.0001MiB'])('a size of %s is refused with what is right', (value) => {
  expect(split('vram', value)).toBe(`vram is a size in whole MiB (8MiB, 1GiB), not ${value}`);
});

test('a setting that is no size keeps its text', () => {
  expect(split('depth', '8MiB')).toBe('8MiB');
});
