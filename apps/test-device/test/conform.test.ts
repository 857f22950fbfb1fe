import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { conform } from '@hmm/test-device/conform';
import { expect, test } from 'vitest';

const RECORDINGS = [
  { release: '6.12', file: 'linux-6.12/public.jsonl.gz', scripts: 1296, ops: 61_646 },
  { release: '7.3', file: 'linux-7.3/public.jsonl.gz', scripts: 1340, ops: 57_974 },
] as const;

test.each(RECORDINGS)(
  'every judged operation of the public recording of Linux $release is reproduced',
  { timeout: 300_000 },
  async ({ release, file, scripts, ops }) => {
    const path = new URL(`../../../tools/golden/${file}`, import.meta.url);
    const lines = gunzipSync(readFileSync(path)).toString('utf8').split('\n');
    const result = await conform(lines, { release });
    expect(result.mismatches).toEqual([]);
    expect([result.scripts, result.ops, result.matched]).toEqual([scripts, ops, ops]);
  },
);
