import { describe, expect, it } from 'vitest';
import {
  ACCESS_ATOMIC,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  AGENT_CPU,
  AGENT_GPU,
  parseKernelsList,
} from '../../src/readers/index.js';
import { bytesOf, collect, fixture } from './collect.js';

const text = (name: string): string => new TextDecoder().decode(fixture(name));

describe('NVBit mem_trace', () => {
  it('of a vector addition: one access per warp and page, shared memory left out', () => {
    const { accesses, events, result } = collect(fixture('vecadd.nvbit.txt'));
    expect(result.summary.format).toBe('nvbit');
    expect(events).toEqual([
      expect.objectContaining({ name: 'kernel', label: 'vecAdd(float*, float*, float*, int)' }),
    ]);
    expect(
      accesses.slice(0, 3).map(({ page, offset, size, kind, thread }) => [page, offset, size, kind, thread]),
    ).toEqual([
      [0x7f8a01800, 0, 128, ACCESS_READ, 0],
      [0x7f8a01801, 0xf80, 128, ACCESS_READ, 0],
      [0x7f8a01900, 0, 128, ACCESS_WRITE, 0],
    ]);
    expect(accesses.at(-1)).toMatchObject({
      page: 0x7f8a01a00,
      offset: 0x10,
      size: 4,
      kind: ACCESS_ATOMIC,
      thread: 65,
    });
    expect(accesses).toHaveLength(13);
    expect(accesses.every(({ agent }) => agent === AGENT_GPU)).toBe(true);
    expect(result.summary.skipped).toEqual({ comment: 3, 'no-address': 4 });
  });

  it('splits a scattered warp by page and keeps the span in each', () => {
    const line =
      'MEMTRACE: CTX 0x1 - grid_launch_id 0 - CTA 0,0,0 - warp 0 - LDG.E.64 - 0x1008 0x2000 0x1000 0x0 0x2ffc\n';
    const { accesses } = collect(bytesOf(line));
    expect(accesses.map(({ page, offset, size }) => [page, offset, size])).toEqual([
      [1, 0, 16],
      [2, 0, 4096],
      [3, 0, 4],
    ]);
  });

  it('counts broken records', () => {
    const bad = [
      'MEMTRACE: CTX 0x1 - grid_launch_id 0 - CTA 0,0 - warp 0 - LDG.E - 0x1000',
      'MEMTRACE: CTX',
      'MEMTRACE: CTX 0x1 - grid_launch_id 0 - CTA 0,0,0 - warp 0 - LDG.E - 1000',
    ];
    const { result } = collect(bytesOf(text('vecadd.nvbit.txt') + bad.join('\n')));
    expect(result.ok).toBe(true);
    expect(result.summary.skipped.malformed).toBe(3);
  });
});

describe('an Accel-Sim kernel', () => {
  it('with all three address modes', () => {
    const { accesses, events, result } = collect(fixture('kernel-1.traceg'));
    expect(result.summary.format).toBe('accel-sim');
    expect(events).toEqual([
      expect.objectContaining({ name: 'kernel', value: 1, label: '_Z6vecAddPfS_S_i' }),
    ]);
    expect(accesses.map(({ page, offset, size, kind }) => [page - 0x7f4a3fa00, offset, size, kind])).toEqual([
      [0, 0, 128, ACCESS_READ],
      [0, 0xf80, 128, ACCESS_READ],
      [1, 0, 128, ACCESS_READ],
      [0x100, 0, 4, ACCESS_READ],
      [0x102, 0, 4, ACCESS_READ],
      [0x104, 0, 8, ACCESS_READ],
      [0x200, 0xffc, 4, ACCESS_WRITE],
      [0x201, 0, 4, ACCESS_WRITE],
      [0x1ff, 0, 4, ACCESS_WRITE],
      [0x300, 0x10, 4, ACCESS_ATOMIC],
    ]);
    expect(accesses.at(-1)?.thread).toBe(64);
    expect(result.summary.skipped.malformed).toBeUndefined();
  });

  it('cut off inside a block is truncated', () => {
    const whole = fixture('kernel-1.traceg');
    const { result, accesses } = collect(whole.subarray(0, 820));
    expect(result).toMatchObject({
      ok: false,
      error: { code: 'TRUNCATED', expected: '#END_TB after the last thread block' },
    });
    expect(accesses.length).toBeGreaterThan(5);
  });

  it('of the older form has the block and the warp in front', () => {
    const old =
      '-kernel name = k\n-accelsim tracer version = 2\n#BEGIN_TB\nthread block = 0,0,0\nwarp = 1\n0 0 0 1 0008 00000003 1 R1 LDG.E 1 R2 4 1 0x2000 4096\n#END_TB\n';
    const { accesses } = collect(bytesOf(old));
    expect(accesses.map(({ page, thread }) => [page, thread])).toEqual([
      [2, 1],
      [3, 1],
    ]);
  });

  it('has a list that says what runs after what', () => {
    expect(parseKernelsList(text('kernelslist.g') + 'MemcpyDtoH,0x1,2\n')).toEqual({
      entries: [
        { kind: 'memcpy_htod', page: 0x7f4a3fa00, offset: 0, bytes: 4096 },
        { kind: 'memcpy_htod', page: 0x7f4a3fb00, offset: 0, bytes: 65536 },
        { kind: 'kernel', file: 'kernel-1.traceg' },
      ],
      skipped: 1,
    });
  });
});

describe('CUPTI JSON lines', () => {
  it('give the steps as accesses and the events as observations', () => {
    const { accesses, events, result } = collect(fixture('cupti.jsonl'));
    expect(result.summary.format).toBe('cupti-jsonl');
    expect(accesses.slice(0, 3).map(({ page, agent, kind }) => [page, agent, kind])).toEqual([
      [0, AGENT_CPU, ACCESS_WRITE],
      [0, AGENT_GPU, ACCESS_READ],
      [0, AGENT_CPU, ACCESS_READ],
    ]);
    expect(events.slice(0, 6).map(({ name, flags, bytes }) => [name, flags, bytes])).toEqual([
      ['alloc', 0, 4096],
      ['cpu_fault', ACCESS_WRITE, 0],
      ['gpu_fault', ACCESS_READ, 0],
      ['htod', 2, 4096],
      ['cpu_fault', ACCESS_READ, 0],
      ['dtoh', 2, 4096],
    ]);
    expect(events[2]).toMatchObject({ duration: 249668, value: 1, agent: AGENT_GPU });
    expect(events.find(({ name }) => name === 'duel')).toMatchObject({ label: '1x2000' });
    expect(result.summary.skipped['no-pages']).toBe(3);
  });

  it('of several GPUs give the number of each: of a fault whose it is, of a copy where it goes', () => {
    const head = text('cupti.jsonl').split('\n')[0] ?? '';
    const { accesses, events } = collect(
      bytesOf(
        [
          head,
          '{"t0":10,"t1":20,"op":"gpu0_chain_write","order":"seq","count":1,"pages":[0]}',
          '{"t0":30,"t1":40,"op":"gpu1_chain_read","order":"seq","count":1,"pages":[0]}',
          '{"e":"gpu_fault","t":31,"at":0,"v":1,"src":1,"f":1}',
          '{"e":"dtod","t":32,"at":0,"v":4096,"src":0,"dst":1,"f":2}',
          '{"e":"throttle","t":33,"at":0,"v":1,"src":-1}',
          '{"t0":50,"t1":60,"op":"prefetch_gpu1"}',
          '',
        ].join('\n'),
      ),
    );
    expect(accesses.map(({ agent, kind }) => [agent, kind])).toEqual([
      [AGENT_GPU, ACCESS_WRITE],
      [AGENT_GPU + 1, ACCESS_READ],
    ]);
    expect(events.slice(1).map(({ name, agent }) => [name, agent])).toEqual([
      ['gpu_fault', AGENT_GPU + 1],
      ['dtod', AGENT_GPU + 1],
      ['throttle', AGENT_CPU],
      ['prefetch', AGENT_GPU + 1],
    ]);
  });

  it.each([
    '{"e":"htod","at":"x"}',
    '[1,2]',
    '{"e":',
    'null',
    '{"t0":1,"op":"cpu_read","pages":[1,-1]}',
    '{"t0":1,"op":""}',
  ])('count %s as malformed', (line) => {
    const { result } = collect(
      bytesOf(`${text('cupti.jsonl').split('\n').slice(0, 10).join('\n')}\n${line}\n`),
    );
    expect(result.ok).toBe(true);
    expect(result.summary.skipped.malformed).toBe(1);
  });
});

describe('the CSV', () => {
  it('has its columns in any order, decimal or hexadecimal addresses, and splits at page ends', () => {
    const { accesses, result } = collect(fixture('accesses.csv'));
    expect(result.summary.format).toBe('csv');
    expect(
      accesses.map(({ page, offset, size, kind, agent, thread, time }) => [
        page,
        offset,
        size,
        kind,
        agent,
        thread,
        time,
      ]),
    ).toEqual([
      [0x7f0000000, 0, 8, ACCESS_WRITE, AGENT_CPU, 11, 100],
      [0x7f0000000, 0xffc, 4, ACCESS_READ, AGENT_CPU, 12, 250],
      [0x7f0000001, 0, 4, ACCESS_READ, AGENT_CPU, 12, 250],
      [0x7f0000000, 0, 4, ACCESS_ATOMIC, AGENT_GPU, 3, 400],
      [0x7f0000002, 0, 4096, ACCESS_PREFETCH, AGENT_GPU + 1, 0, 500],
    ]);
  });

  it('needs a header with addr', () => {
    const { result } = collect(bytesOf('time,page\n1,2\n'), { format: 'csv' });
    expect(result).toMatchObject({ ok: false, error: { code: 'CORRUPT', line: 1 } });
  });

  it.each(['0x1000,x', '0x1000', 'abc,r', '0x1000 1,r', ',r', '0x1000,constructor'])(
    'counts the row %j as malformed',
    (row) => {
      const { result, accesses } = collect(bytesOf(`addr,op\n0x1000,w\n${row}\n`));
      expect(accesses).toHaveLength(1);
      expect(result.summary.skipped.malformed).toBe(1);
    },
  );

  it('counts addresses of 2^57 and above, in decimal too', () => {
    const { result } = collect(
      bytesOf('addr\n0x200000000000000\n144115188075855872\n99999999999999999999999\n0\n'),
    );
    expect(result.summary).toMatchObject({ accesses: 1, skipped: { 'address-range': 3 } });
  });
});
