import { existsSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  exportCommand,
  importCommand,
  type Output,
  recordCommand,
  runApplication,
  runCommand,
} from '@hmm/cli';
import type { ClientFactory } from '@hmm/device';
import { MIRROR_STEPS, MirrorClient } from '@hmm/machine/contract';
import { afterEach, describe, expect, test } from 'vitest';
import { surveyTrace } from '../src/trace-input.js';

const RULES = {
  gpuFault: 'leaves it.',
  firstTouch: 'as the CPU.',
  cpuFault: 'nothing to bring home.',
  granularity: 'one page.',
  sharing: 'both map it.',
  oversubscription: 'no memory.',
  atomics: 'none.',
  fork: 'none.',
  hints: 'none.',
  badAddress: 'fails.',
};
const mirror: ClientFactory = {
  name: 'mirror',
  title: 'a mirror',
  gpus: ['none'],
  settings: { speed: 'how fast' },
  rules: RULES,
  steps: MIRROR_STEPS,
  create: ({ kernel }) => ({ ok: true, client: new MirrorClient(kernel) }),
};

const folder = mkdtempSync(join(tmpdir(), 'hmm-play-'));
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

interface Ran {
  readonly code: number;
  readonly data: string;
  readonly said: string;
}

async function hmm(...argv: string[]): Promise<Ran> {
  let data = '';
  let said = '';
  const output: Output = {
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
    watched: false,
  };
  const commands = [runCommand([mirror]), exportCommand([mirror]), importCommand(), recordCommand()];
  const app = { name: 'hmm', version: '0', description: '', examples: [], commands };
  const code = await runApplication(app, argv, output);
  return { code, data, said };
}

const LACKEY = [' S 1ffe0000,8', ' L 1ffe0008,4', ' M 04025000,8', ' L 04025ffc,8', ''].join('\n');
const CSV = 'addr,op,agent\n0x7f0000000000,w,cpu\n0x7f0000001000,w,cpu\n0x7f0000000000,r,gpu\n';

describe('run', () => {
  test('plays a trace and says what it cost in a sentence first', async () => {
    const { code, data, said } = await hmm('run', file('app.lackey', LACKEY));
    expect(code).toBe(0);
    expect(said).toContain('has no GPU access: its accesses are taken for the GPU');
    expect(data.split('\n')[2]).toMatch(/^mirror on none: /);
    expect(data).toContain('0x4000000');
  });

  test('keeps who did what where the trace says it', async () => {
    const { code, data } = await hmm('run', file('both.csv', CSV), '--json');
    expect(code).toBe(0);
    const report: unknown = JSON.parse(data);
    expect(report).toMatchObject({
      version: 1,
      run: { faults: 1 },
      diagnosis: { regions: [{ gpu_faults: 0 }] },
    });
  });

  test('two runs are byte for byte the same', async () => {
    const path = file('same.lackey.gz', gzipSync(LACKEY.repeat(500)));
    const first = await hmm('run', path);
    expect(await hmm('run', path)).toEqual(first);
    expect(first.code).toBe(0);
  });

  test('plays a published workload', async () => {
    const { code, data } = await hmm('run', 'uvmsmart:stream_triad', '--json', '--no-advice');
    expect(code).toBe(0);
    expect(JSON.parse(data)).toMatchObject({ program: 'uvmsmart:stream_triad', run: { error: null } });
  });

  test('--fail-on decides the exit code', async () => {
    const path = file('fail.csv', CSV);
    expect((await hmm('run', path, '--fail-on', 'faults>0')).code).toBe(1);
    expect((await hmm('run', path, '--fail-on', 'faults>1,time>10s')).code).toBe(0);
    const held = await hmm('run', path, '--fail-on', 'thrash>0.1', '--fail-on', 'time>1ns');
    expect(held.code).toBe(1);
    expect(held.said).toMatch(/time>1ns holds: time is \d+/);
  });
});

const OVERSIZED = 'addr\n0x200000000000000\n';

/** 95 MiB, mostly of long comment lines, packed some thousand times smaller. */
function bomb(): Uint8Array {
  const member = gzipSync(` L 04222c34,8\n==1== ${'x'.repeat(65000)}\n`.repeat(128), { level: 9 });
  return Buffer.concat(Array.from({ length: 12 }, () => member));
}

describe('what cannot be read is one clear line, exit code 2, and nothing half-written', () => {
  test.each([
    ['no such file', 'nosuch.lackey', undefined, /there is no such file/],
    ['truncated gzip', 'cut.lackey.gz', gzipSync(LACKEY.repeat(5000)).subarray(0, 90), /truncated|expected/i],
    ['corrupt gzip', 'bad.lackey.gz', corrupted(gzipSync(LACKEY.repeat(5000))), /expected|corrupt/i],
    ['a gzip bomb', 'bomb.lackey.gz', bomb(), /at most 500 bytes per compressed byte/],
    [
      'a list of kernels that are not there',
      'kernelslist.g',
      'kernel-7.traceg\n',
      /kernel-7.traceg: there is no such file/,
    ],
    ['a wrong database', 'wrong.sqlite', Buffer.from('SQLite format 3\0 and no more'), /expected/],
    ['a trace without accesses', 'empty.csv', 'addr,op\n', /no access/],
    ['addresses beyond 2^57 alone', 'high.csv', OVERSIZED, /no access/],
    ['a line that never ends', 'long.lackey', ` L ${'1'.repeat(2_000_000)}`, /expected|no trace|there is/],
    ['a workload that is none', 'uvmsmart:nosuch', undefined, /there is no workload/],
  ])('%s', async (_, name, content, message) => {
    const path = content === undefined ? name : file(name, content);
    const { code, data, said } = await hmm('run', path);
    expect(data).toBe('');
    expect(said).toMatch(message);
    expect(said.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  });

  test('a database too large for memory, before any of it is read', async () => {
    const path = file('large.sqlite', Buffer.from('SQLite format 3\0'));
    truncateSync(path, 2 ** 30 + 1);
    const { code, data, said } = await hmm('run', path);
    expect(said).toContain('expected a database of at most 1 GiB');
    expect([code, data]).toEqual([2, '']);
  });

  test('a setting that no driver has', async () => {
    const { code, said } = await hmm('run', file('set.csv', CSV), '--set', 'nosuch=1');
    expect(code).toBe(2);
    expect(said).toContain('there is nothing called nosuch to set');
  });

  test('a condition that is none', async () => {
    const { code, said } = await hmm('run', file('cond.csv', CSV), '--fail-on', 'speed>1');
    expect(code).toBe(2);
    expect(said).toContain("'speed>1' is no condition");
  });
});

/** With a byte in the middle turned over. */
function corrupted(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const middle = Math.floor(copy.length / 2);
  copy[middle] = (copy[middle] ?? 0) ^ 0xff;
  return copy;
}

describe('export', () => {
  test.each(['pftrace', 'json', 'csv', 'html'])('writes %s', async (ending) => {
    const path = join(folder, `out.${ending}`);
    const { code } = await hmm('export', file('export.csv', CSV), '-o', path, '--locks');
    expect(code).toBe(0);
    expect(readFileSync(path).length).toBeGreaterThan(100);
    const again = join(folder, `again.${ending}`);
    await hmm('export', file('export.csv', CSV), '-o', again, '--locks');
    expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
  });

  test('names the formats where the ending tells none, and writes nothing', async () => {
    const path = join(folder, 'out.unknown');
    const { code, said } = await hmm('export', file('export.csv', CSV), '-o', path);
    expect(code).toBe(2);
    expect(said).toContain('perfetto|chrome|csv|json|html');
    expect(existsSync(path)).toBe(false);
  });
});

/** A kernel of one warp that loads from one page. */
const kernelTrace = (id: number): string => `-kernel name = k
-kernel id = ${id}
-grid dim = (1,1,1)
-block dim = (32,1,1)
-accelsim tracer version = 5
#traces format = PC mask dest_num [reg_dests] opcode src_num [reg_srcs] mem_width [adrrescompress?] [mem_addresses]
#BEGIN_TB
thread block = 0,0,0
warp = 0
insts = 1
0000 00000001 1 R1 LDG.E 1 R2 4 0 0x7f4a3fa0${id}000
#END_TB
`;

describe('import', () => {
  test('reads the kernels of a list one after another', async () => {
    for (const id of [1, 2]) file(`kernel-${id}.traceg`, kernelTrace(id));
    const list = file(
      'two-kernelslist.g',
      'MemcpyHtoD,0x7f4a3fa00000,4096\nkernel-1.traceg\nkernel-2.traceg\n',
    );
    const { data } = await hmm('import', list, '--json');
    expect(JSON.parse(data)).toMatchObject({
      format: 'accel-sim',
      gpu_accesses: 2,
      ranges: [{ address: '0x7f4a3fa01000', pages: 2 }],
    });
    const surveyed = await surveyTrace(list, 'kernelslist');
    if (!surveyed.ok) throw new Error(surveyed.message);
    const [pages, kinds] = [new Int32Array(8), new Uint8Array(8)];
    const counts: number[] = [];
    for (const phase of surveyed.survey.script('recorded').phases(Float64Array.of(0)))
      counts.push(phase.fill(pages, kinds));
    expect(counts).toEqual([1, 1]);
  });

  test('counts what is in a trace, and writes CSV that reads as the same trace', async () => {
    const path = join(folder, 'imported.csv');
    const from = file('import.lackey', LACKEY);
    const first = await hmm('import', from, '--json', '-o', path);
    expect(JSON.parse(first.data)).toMatchObject({ format: 'lackey', cpu_accesses: 5, gpu_accesses: 0 });
    const second = await hmm('import', path, '--json');
    expect(JSON.parse(second.data)).toMatchObject({ format: 'csv', cpu_accesses: 5, skipped: {} });
    expect((await hmm('run', path, '--json')).code).toBe(0);
  });
});

describe('record', () => {
  const path = process.env['PATH'];
  afterEach(() => {
    process.env['PATH'] = path;
  });

  test('says what is missing where there is no valgrind', async () => {
    process.env['PATH'] = folder;
    const { code, said } = await hmm('record', '-o', join(folder, 'none.gz'), '--', 'true');
    expect(code).toBe(2);
    expect(said).toContain('valgrind is not installed');
    expect(existsSync(join(folder, 'none.gz'))).toBe(false);
  });

  test('a program that cannot be run leaves no trace', async () => {
    writeFileSync(join(folder, 'valgrind'), '#!/bin/sh\n[ "$1" = --version ] || exit 127\n', { mode: 0o755 });
    process.env['PATH'] = folder;
    const { code, said } = await hmm('record', '-o', join(folder, 'none.gz'), '--', 'nosuch');
    expect(code).toBe(2);
    expect(said).toContain('nosuch cannot be run');
    expect(existsSync(join(folder, 'none.gz')) || existsSync(join(folder, 'none.gz.unfinished'))).toBe(false);
  });
});
