import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { conform } from '@hmm/test-device/conform';
import { expect, test } from 'vitest';

test(
  'every judged operation of the public recording of Linux 6.12 is reproduced',
  { timeout: 300_000 },
  async () => {
    const file = new URL('../../../tools/golden/linux-6.12/public.jsonl.gz', import.meta.url);
    const result = await conform(gunzipSync(readFileSync(file)).toString('utf8').split('\n'));
    expect(result.mismatches).toEqual([]);
    expect([result.scripts, result.ops, result.matched]).toEqual([1296, 61_646, 61_646]);
  },
);
