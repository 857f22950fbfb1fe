import { fc } from '@hmm/config/property';
import { expect, it } from 'vitest';
import { TraceReader } from '../../src/readers/index.js';

const BASE = 0x7f8a01800000;

/** The accesses of one instruction whose lanes are at `addresses`, written as `write` does. */
function accesses(addresses: readonly number[], write: (address: number) => string): number[][] {
  const rows: number[][] = [];
  const reader = new TraceReader(
    {
      accesses: (batch) => {
        for (let i = 0; i < batch.length; i++)
          rows.push([batch.page[i] ?? 0, batch.offset[i] ?? 0, batch.size[i] ?? 0]);
      },
    },
    { file: 'x.nvbit.txt' },
  );
  const lanes = addresses.map(write).join(' ');
  const line = `MEMTRACE: CTX 0x000055d0c9a3b2f0 - grid_launch_id 0 - CTA 0,0,0 - warp 0 - LDG.E - ${lanes} \n`;
  reader.push(new TextEncoder().encode(line));
  expect(reader.end().ok).toBe(true);
  return rows;
}

const padded = (address: number): string => `0x${address.toString(16).padStart(16, '0')}`;
const short = (address: number): string => `0x${address.toString(16)}`;

it('lanes are read alike however their addresses are written', () => {
  const lane = fc.oneof(fc.nat(4095), fc.nat(3 * 4096), fc.constant(-BASE));
  fc.assert(
    fc.property(fc.array(lane, { minLength: 1, maxLength: 32 }), (offsets) => {
      const addresses = offsets.map((offset) => BASE + offset);
      expect(accesses(addresses, padded)).toEqual(accesses(addresses, short));
    }),
    { seed: 3, numRuns: 200 },
  );
});
