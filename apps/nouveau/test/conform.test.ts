import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { conform } from '@hmm/nouveau-model/conform';
import { expect, test } from 'vitest';

const lines = (name: string): string[] => {
  const file = new URL(`../../../tools/golden/${name}`, import.meta.url);
  return gunzipSync(readFileSync(file)).toString('utf8').split('\n');
};

test.each([
  ['nouveau-6.12/public.jsonl.gz', 608, 29_527],
  ['nouveau-6.12/nvkm.jsonl.gz', 80, 2573],
])('every judged operation of %s is reproduced', { timeout: 300_000 }, async (file, scripts, ops) => {
  const result = await conform(lines(file), { release: '6.12' });
  expect(result.mismatches).toEqual([]);
  expect([result.scripts, result.ops, result.matched]).toEqual([scripts, ops, ops]);
});
