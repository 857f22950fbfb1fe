import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { conform } from '@hmm/nouveau-model/conform';
import { expect, test } from 'vitest';

const lines = (name: string): string[] => {
  const file = new URL(`../../../tools/golden/${name}`, import.meta.url);
  return gunzipSync(readFileSync(file)).toString('utf8').split('\n');
};

test.each([
  ['nouveau-6.12/public.jsonl.gz', '6.12', 608, 29_527],
  ['nouveau-6.12/nvkm.jsonl.gz', '6.12', 80, 2573],
  ['nouveau-7.3/public.jsonl.gz', '7.3', 303, 14_575],
] as const)(
  'every judged operation of %s is reproduced',
  { timeout: 300_000 },
  async (file, release, scripts, ops) => {
    const result = await conform(lines(file), { release });
    expect(result.mismatches).toEqual([]);
    expect([result.scripts, result.ops, result.matched]).toEqual([scripts, ops, ops]);
  },
);
