import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bundledExample } from '../src/bundled.js';

test.each([
  ['first-example', 'examples/first-example.hmm'],
  ['first-example.hmm', 'examples/first-example.hmm'],
  ['first-example.litmus', 'litmus/first-example.litmus'],
  ['pingpong.hmm', 'programs/04-ping-pong.hmm'],
  ['04-ping-pong', 'programs/04-ping-pong.hmm'],
  ['fault-vs-munmap.litmus', 'litmus/fault-vs-munmap.litmus'],
])('%s is found by name', (name, path) => {
  const found = bundledExample(name) ?? '';
  expect(found.endsWith(path)).toBe(true);
  expect(existsSync(found)).toBe(true);
});

test.each(['nothing-such', '../programs/04-ping-pong.hmm', 'ping-pong.csv'])('%s is no example', (name) => {
  expect(bundledExample(name)).toBeUndefined();
});
