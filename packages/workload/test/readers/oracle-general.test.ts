import { describe, expect, it } from 'vitest';
import { detectFormat } from '../../src/readers/trace-format.js';
import { collect } from './collect.js';

type OracleRecord = readonly [time: number, id: bigint, size: number, next: bigint];

function oracle(records: readonly OracleRecord[], little = true): Uint8Array {
  const bytes = new Uint8Array(records.length * 24);
  const view = new DataView(bytes.buffer);
  records.forEach(([time, id, size, next], i) => {
    view.setUint32(i * 24, time, little);
    view.setBigUint64(i * 24 + 4, id, little);
    view.setUint32(i * 24 + 12, size, little);
    view.setBigInt64(i * 24 + 16, next, little);
  });
  return bytes;
}

const records: OracleRecord[] = [
  [0, 5n, 4096, 2n],
  [0, 0x7f0000001n, 512, -1n],
  [1, 5n, 65536, -2n],
  [3, 0n, 0, -1n],
];

describe('an oracleGeneral trace', () => {
  it('is told by its name, or by its records', () => {
    for (const file of ['cluster52.oracleGeneral.bin', 'unnamed']) {
      const { accesses, result } = collect(oracle(records), { file });
      expect(result.summary).toMatchObject({ format: 'oracle-general', records: 4 });
      expect(accesses.map(({ page, size, time }) => [page, size, time])).toEqual([
        [5, 4096, 0],
        [0x7f0000001, 512, 0],
        [5, 4096, 1e9],
        [0, 1, 3e9],
      ]);
    }
  });

  it('with the next access as -2 is one, since some writers say never that way', () => {
    expect(collect(oracle([[0, 5n, 1, -2n]]), { format: 'oracle-general' }).result.ok).toBe(true);
  });

  it('without a name is told by times that never fall and a next access that is one, or -1 or -2', () => {
    const told = (...list: OracleRecord[]): string => detectFormat(oracle(list));
    expect(told([0, 5n, 1, 7n], [0, 6n, 1, -1n], [9, 7n, 1, -2n])).toBe('oracle-general');
    expect(told([0, 5n, 1, 7n], [0, 6n, 1, -(2n ** 33n)])).toBe('unknown');
    expect(told([0, 5n, 1, -(2n ** 63n)])).toBe('unknown');
    expect(told([1, 5n, 1, 7n], [0, 6n, 1, 8n])).toBe('unknown');
  });

  it('in the other byte order is refused at the record that shows it', () => {
    const bytes = oracle(
      [
        [1, 5n, 4096, 2n],
        [2, 6n, 4096, 3n],
        [0x01000000, 7n, 1, -1n],
      ],
      false,
    );
    const { result } = collect(bytes, { file: 'big.oracleGeneral' });
    expect(result).toMatchObject({ ok: false, error: { code: 'CORRUPT', offset: 48 } });
  });

  it('cut inside a record is truncated', () => {
    const { result, accesses } = collect(oracle(records).subarray(0, 50), { format: 'oracle-general' }, 7);
    expect(result).toMatchObject({ ok: false, error: { code: 'TRUNCATED', offset: 48 } });
    expect(accesses).toHaveLength(2);
  });

  it('with ids beyond 2^45 skips them, or folds them where ids are hashes', () => {
    const bytes = oracle([
      [0, 0xffff_ffff_ffff_fff0n, 1, -1n],
      [0, 0xffff_ffff_ffff_fff1n, 1, -1n],
      [0, 0xffff_ffff_ffff_fff0n, 1, -1n],
    ]);
    const asPages = collect(bytes, { format: 'oracle-general' }).result;
    expect(asPages.summary).toMatchObject({ accesses: 0, skipped: { 'address-range': 3 } });
    const { accesses } = collect(bytes, { format: 'oracle-general', objectIds: 'hash' });
    const pages = accesses.map(({ page }) => page);
    expect(pages[0]).toBe(pages[2]);
    expect(new Set(pages).size).toBe(2);
    expect(Math.max(...pages)).toBeLessThan(2 ** 45);
  });
});
