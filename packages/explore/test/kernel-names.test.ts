import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { KERNEL_NAMES, METHODS } from '../src/engine/kernel-names.js';

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** What processors do themselves. */
const WORDS = ['CPU load', 'CPU store', 'GPU access'];

/** `path: names` a line, `#` begins a comment. */
function listed(text: string): (readonly [path: string, names: readonly string[]])[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [path = '', names = ''] = line.split(': ');
      return [path, names.split(/[ |]+/)];
    });
}

const verified = listed(file('./kernel-6.12-functions.txt'));

it('functions are called only what the kernel calls its own', () => {
  const known = new Set([...WORDS, ...verified.flatMap(([, names]) => names)]);
  const names = [...KERNEL_NAMES.values(), ...METHODS.values()];
  expect(names.filter((name) => !known.has(name))).toEqual([]);
});

it('the list of functions agrees with the names that doc tags are looked up in', () => {
  const lists = ['linux', 'nouveau', 'nvidia-uvm'].map((name) =>
    file(`../../../tools/checks/symbols/${name}.txt`),
  );
  const symbols = new Map(lists.flatMap(listed));
  const looked = verified.filter(([path]) => symbols.has(path));
  expect(looked.length).toBeGreaterThan(20);
  const missing = looked.flatMap(([path, names]) =>
    names.filter((name) => !name.startsWith('__do_sys_') && symbols.get(path)?.includes(name) !== true),
  );
  expect(missing).toEqual([]);
});
