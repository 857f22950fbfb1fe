import { gzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import {
  detectFormat,
  readTrace,
  traceErrorText,
  type TraceReadOptions,
  type TraceResult,
} from '../../src/readers/index.js';
import { bytesOf, collect, collector, fixture } from './collect.js';

function concat(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Mebibytes of one line in a thousandth of their size. */
function gzipBomb(mebibytes: number, line: string): Uint8Array {
  const member = gzipSync(bytesOf(line.repeat(Math.ceil(2 ** 23 / line.length))), { level: 9 });
  return concat(...Array.from({ length: Math.ceil(mebibytes / 8) }, () => member));
}

/** A zstd frame of 128 KiB blocks that each repeat one byte: 4 bytes in, 131072 out. */
function zstdBomb(blocks: number): Uint8Array {
  const head = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x38);
  const size = 131072;
  const block = Uint8Array.of(2 | ((size << 3) & 255), (size >> 5) & 255, (size >> 13) & 255, 0x20);
  return concat(head, ...Array.from({ length: blocks }, () => block));
}

const failure = (result: TraceResult): unknown => (result.ok ? undefined : result.error);

describe('a compressed trace', () => {
  const packed = fixture('stride.lackey.gz');

  it.each(['gz', 'zst'])('cut off anywhere is never taken for a whole one (%s)', (suffix) => {
    const whole = fixture(`stride.lackey.${suffix}`);
    for (let length = 5; length < whole.length; length += suffix === 'gz' ? 13 : 17) {
      const { result } = collect(whole.subarray(0, length));
      expect(result.ok, `${length} of ${whole.length} bytes`).toBe(false);
    }
    const { result } = collect(whole.subarray(0, 400), { file: 'a.lackey' });
    expect(failure(result)).toMatchObject({ code: 'TRUNCATED', file: 'a.lackey' });
  });

  it('with a flipped bit in a gzip is found out by its checksum', () => {
    for (let at = 20; at < packed.length; at += 31) {
      const damaged = packed.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect(collect(damaged).result.ok, `byte ${at}`).toBe(false);
    }
  });

  it('of several gzip members is one stream, and each checksum counts', () => {
    const lines = [' L 1000,8\n L 2000,8\n L 3', '000,8\n', ' L 4000,8\n'].map((text) =>
      gzipSync(bytesOf(text)),
    );
    expect(collect(concat(...lines)).accesses.map(({ page }) => page)).toEqual([1, 2, 3, 4]);
    const middle = lines[1]?.slice() ?? new Uint8Array(0);
    middle[middle.length - 8] = (middle[middle.length - 8] ?? 0) ^ 1;
    expect(collect(concat(lines[0] ?? middle, middle, lines[2] ?? middle)).result.ok).toBe(false);
  });

  it('that is a gzip bomb stops at the ratio', () => {
    const { result } = collect(gzipBomb(512, `==1== ${'x'.repeat(65000)}\n`), {
      format: 'lackey',
      file: 'bomb.gz',
    });
    expect(failure(result)).toMatchObject({
      code: 'TOO_LARGE',
      expected: 'at most 500 bytes per compressed byte',
    });
    expect(result.summary.bytes).toBeLessThan(100 * 2 ** 20);
    expect(failure(collect(gzipBomb(8, ' '), { format: 'lackey' }).result)).toMatchObject({
      code: 'LINE_TOO_LONG',
    });
  });

  it('that is a zstd bomb stops at the ratio, and one with a huge window before it starts', () => {
    const { result } = collect(zstdBomb(100_000), { format: 'lackey' });
    expect(failure(result)).toMatchObject({
      code: expect.stringMatching(/TOO_LARGE|LINE_TOO_LONG/) as string,
    });
    expect(result.summary.bytes).toBeLessThan(200 * 2 ** 20);
    const window = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(failure(collect(window).result)).toMatchObject({ code: 'TOO_LARGE' });
  });

  it('stops at the size that the caller allows', () => {
    expect(failure(collect(packed, { maxBytes: 1000 }).result)).toMatchObject({ code: 'TOO_LARGE' });
  });

  it('inside a compressed trace is not opened', () => {
    expect(failure(collect(gzipSync(packed)).result)).toMatchObject({ code: 'UNKNOWN_FORMAT' });
  });
});

describe('a line', () => {
  const long = (length: number): Uint8Array => bytesOf(` L 1000,8\n L ${'0'.repeat(length)}\n L 2000,8\n`);

  it('beyond the limit ends the stream, whatever the chunks', () => {
    for (const chunk of [4096, 65_521, 1 << 22]) {
      const { result, accesses } = collect(long(2 ** 20), { file: 'long.lackey' }, chunk);
      expect(failure(result)).toMatchObject({ code: 'LINE_TOO_LONG', line: 2 });
      expect(accesses).toHaveLength(1);
    }
  });

  it('below it is only malformed', () => {
    const { result, accesses } = collect(long(500_000));
    expect(result.summary.skipped).toEqual({ malformed: 1 });
    expect(accesses).toHaveLength(2);
  });

  it('at the end without a newline is a line', () => {
    expect(collect(bytesOf(' L 1000,8\n L 2000,8')).accesses).toHaveLength(2);
  });
});

describe('a stream', () => {
  it.each([
    ['', 'an empty file'],
    ['Dear diary,\nnothing happened.\n', 'none of them'],
  ])('of %j is of no known format', (text, found) => {
    expect(failure(collect(bytesOf(text)).result)).toMatchObject({ code: 'UNKNOWN_FORMAT', found });
  });

  it('that is an Accel-Sim list is told what reads it', () => {
    expect(failure(collect(fixture('kernelslist.g')).result)).toMatchObject({ code: 'WRONG_READER' });
  });

  it('is read from an async source, and a source that fails is an error value', async () => {
    async function* source(fail: boolean): AsyncGenerator<Uint8Array> {
      yield fixture('stride.lackey').subarray(0, 5000);
      await Promise.resolve();
      if (fail) throw new Error('disk on fire');
      yield fixture('stride.lackey').subarray(5000);
    }
    const options: TraceReadOptions = { file: 'stride.lackey' };
    const { sink, accesses } = collector();
    expect(await readTrace(source(false), sink, options)).toMatchObject({ ok: true });
    expect(accesses).toHaveLength(160);
    const failed = await readTrace(source(true), {}, options);
    expect(failed).toMatchObject({ ok: false, error: { code: 'SOURCE_FAILED', offset: 5000 } });
    if (!failed.ok)
      expect(traceErrorText(failed.error)).toBe(
        'stride.lackey at byte 5000: expected more bytes, found disk on fire',
      );
    expect(await readTrace([fixture('accesses.csv')], {})).toMatchObject({
      ok: true,
      summary: { accesses: 5 },
    });
  });

  it.each([
    ['stride.lackey', 'lackey'],
    ['stride.lackey.gz', 'gzip'],
    ['stride.lackey.zst', 'zstd'],
    ['stride-exceptions.perf.txt', 'perf-script'],
    ['stride-page-faults.perf.txt', 'perf-script'],
    ['stride.ftrace.txt', 'ftrace'],
    ['cupti.jsonl', 'cupti-jsonl'],
    ['vecadd.nvbit.txt', 'nvbit'],
    ['kernel-1.traceg', 'accel-sim'],
    ['kernelslist.g', 'kernelslist'],
    ['accesses.csv', 'csv'],
  ] as const)('%s is detected as %s', (name, format) => {
    expect(detectFormat(fixture(name))).toBe(format);
  });
});
