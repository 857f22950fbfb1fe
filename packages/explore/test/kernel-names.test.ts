import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { kernelName } from '../src/engine/function-names.js';
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

/** Names that stories have, looked up in 6.12, and those that doc tags are looked up in. */
function kernelFunctions(): Set<string> {
  const tagged = listed(file('../../../tools/checks/symbols/linux.txt'));
  return new Set([...verified, ...tagged].flatMap(([, names]) => names));
}

it('functions are called only what the kernel calls its own', () => {
  const known = new Set([...WORDS, ...kernelFunctions()]);
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

const SOURCES = ['kernel', 'mmu-notifier', 'mm', 'mirror', 'migrate', 'gpu', 'operations'];
const sources = SOURCES.flatMap((name) => {
  const folder = fileURLToPath(new URL(`../../${name}/src/`, import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter((path) => path.endsWith('.ts')).map((path) => readFileSync(join(folder, path), 'utf8'));
});

it('no name is of a function that is not there any more', () => {
  const text = sources.join('\n');
  const there = (name: string): boolean => new RegExp(`\\b${name}\\s*[(<]`).test(text);
  expect([...KERNEL_NAMES.keys()].filter((name) => !there(name))).toEqual([]);
});

/** A doc comment and the function or method that it belongs to. */
const DOCUMENTED =
  /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*(?:export )?(?:function\*? |(?:private |static |override |protected )*\*?)(\w+)\s*[(<]/g;

it('a function that mirrors one of the kernel is told by a name that the kernel has', () => {
  const known = kernelFunctions();
  const functions = sources.flatMap((text) =>
    [...text.matchAll(DOCUMENTED)].flatMap(([, doc = '', name = '']) => (/@kernel/.test(doc) ? [name] : [])),
  );
  expect(functions.length).toBeGreaterThan(400);
  const told = functions.map((name) => [name, kernelName('', name, [])] as const);
  expect(told.filter(([, name]) => name !== '' && !known.has(name))).toEqual([]);
});
