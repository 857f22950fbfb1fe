import { describe, expect, it } from 'vitest';
import { ACCESS_READ, ACCESS_WRITE, traceErrorText } from '../../src/readers/index.js';
import { bytesOf, collect, fixture } from './collect.js';

describe('a lackey trace', () => {
  it('of the stride program shows its three passes over 64 pages', () => {
    const { result, accesses } = collect(fixture('stride.lackey'));
    expect(result.ok).toBe(true);
    const first = 0x403;
    const writes = accesses.slice(0, 64);
    expect(writes.map(({ page }) => page - first)).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(
      writes.every(({ kind, size, offset }) => kind === ACCESS_WRITE && size === 1 && offset === 0),
    ).toBe(true);
    const reads = accesses.slice(64, 128);
    expect(reads.map(({ page }) => page - first)).toEqual(Array.from({ length: 64 }, (_, i) => 63 - i));
    expect(reads.every(({ kind }) => kind === ACCESS_READ)).toBe(true);
    const modified = accesses.slice(128);
    expect(modified).toHaveLength(32);
    expect(
      modified.slice(0, 2).map(({ page, offset, size, kind }) => [page - first, offset, size, kind]),
    ).toEqual([
      [0, 4092, 4, ACCESS_WRITE],
      [1, 0, 4, ACCESS_WRITE],
    ]);
    expect(result.summary).toMatchObject({
      format: 'lackey',
      compression: 'none',
      accesses: 160,
      records: 882,
    });
  });

  it('counts instruction fetches and banners that it drops, and reads fetches on request', () => {
    const bytes = bytesOf('==1== Lackey\nI  0401ab70,3\n L 1ffeffe7e0,8\n\nI  0401ab73,5\n');
    expect(collect(bytes).result.summary.skipped).toEqual({ comment: 2, instruction: 2 });
    const all = collect(bytes, { instructions: true });
    expect(all.accesses.map(({ page, offset }) => [page, offset])).toEqual([
      [0x401a, 0xb70],
      [0x1ffeffe, 0x7e0],
      [0x401a, 0xb73],
    ]);
  });

  it('is the same through gzip and zstd', () => {
    const plain = collect(fixture('stride.lackey'));
    for (const [name, compression] of [
      ['stride.lackey.gz', 'gzip'],
      ['stride.lackey.zst', 'zstd'],
    ] as const) {
      const packed = collect(fixture(name));
      expect(packed.accesses).toEqual(plain.accesses);
      expect(packed.result.summary).toMatchObject({ compression, bytes: plain.result.summary.bytes });
    }
  });

  it('keeps 57-bit addresses exact and counts those beyond', () => {
    const text =
      ' L 01ffffffffffffff,1\n S 0200000000000000,1\n L ffffffffffffffff,8\n L 0000000000001fff,2\n';
    const { accesses, result } = collect(bytesOf(text));
    expect(accesses.map(({ page, offset, size }) => [page, offset, size])).toEqual([
      [2 ** 45 - 1, 4095, 1],
      [1, 4095, 1],
      [2, 0, 1],
    ]);
    expect(result.summary.skipped).toEqual({ 'address-range': 2 });
  });

  it.each([
    [' L 0421,4294967296000\n', 'a size from 1 byte to 4 GiB'],
    [' L 0421\n', "a line such as ' L 04222cac,8'"],
    [' L 00000000000000421,1\n', "a line such as ' L 04222cac,8'"],
    [' L ,1\n', "a line such as ' L 04222cac,8'"],
    [' L 0421,0\n', 'a size from 1 byte to 4 GiB'],
    [' X 0421,1\n', "a line such as ' L 04222cac,8'"],
    [' L 0421,8 trailing\n', "a line such as ' L 04222cac,8'"],
  ])('counts %j as malformed and goes on', (line, expected) => {
    const { accesses, result } = collect(bytesOf(` L 1000,8\n${line} S 2000,8\n`));
    expect(accesses.map(({ page }) => page)).toEqual([1, 2]);
    expect(result.summary.skipped.malformed).toBe(1);
    expect(result.summary.firstMalformed).toMatchObject({ line: 2, expected });
  });

  it('without one good line is an error at the first bad one', () => {
    const { result } = collect(bytesOf('==1== Lackey\n L nonsense\n'), {
      format: 'lackey',
      file: 'x.lackey',
    });
    expect(result.ok).toBe(false);
    if (!result.ok)
      expect(traceErrorText(result.error)).toBe(
        "x.lackey:2: expected a line such as ' L 04222cac,8', found ' L nonsense'",
      );
  });

  it('with more bad lines than good ones stops early', () => {
    const { result } = collect(bytesOf(' L 1000,8\n' + 'garbage\n'.repeat(100_000)));
    expect(result).toMatchObject({ ok: false, error: { code: 'CORRUPT', line: 2 } });
    expect(result.summary.records).toBeLessThan(20_000);
  });
});
