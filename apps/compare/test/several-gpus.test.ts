import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { requestOf, runOnClient } from '@hmm/cli';
import { nouveauFactory } from '@hmm/nouveau-model';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import type { ClientReport } from '@hmm/report';

const FACTORIES = [nouveauFactory(), uvmFactory()];
const OPTIONS = { json: false, seed: 1, set: new Map<string, string>(), gpu: undefined, client: undefined };
const MIB = 2 ** 20;

function run(text: string, client: string, gpu: string): ClientReport {
  const read = requestOf(text, 'test.hmm', OPTIONS, FACTORIES);
  if (!read.ok) throw new Error(read.messages.join('\n'));
  const factory = FACTORIES.find(({ name }) => name === client);
  if (factory === undefined) throw new Error(client);
  const ran = runOnClient(read.request, factory, gpu);
  if (!ran.ok) throw new Error(ran.message);
  return ran.report;
}

function shipped(name: string, client: string, gpu: string): ClientReport {
  const text = readFileSync(new URL(`../programs/${name}.hmm`, import.meta.url), 'utf8');
  const report = run(client === 'nouveau' ? text.replaceAll('managed', 'malloc') : text, client, gpu);
  expect({ error: report.error, failed: report.failed }).toEqual({ error: null, failed: [] });
  return report;
}

const bytes = ({ by_pair: pairs = [] }: ClientReport): Record<string, number> =>
  Object.fromEntries(pairs.map(({ from, to, bytes: moved }) => [`${from}>${to}`, moved]));

describe('a program on several GPUs', () => {
  test('moves a page from one GPU to the other over NVLink, and nothing through the host', () => {
    const report = run(
      'managed a 2MiB\ngpu write a = 5\ngpu1 read a -> x\nassert x[511] == 5\n',
      'nvidia',
      '2xh200-nvlink',
    );
    expect(report.failed).toEqual([]);
    expect(bytes(report)).toEqual({ 'gpu>gpu1': 2 * MIB });
  });

  test('goes through host memory where the GPUs are no peers', () => {
    const report = run(
      'managed a 2MiB\ngpu write a = 5\ngpu1 read a -> x\nassert x[511] == 5\n',
      'nvidia',
      '2xpcie-nopeers',
    );
    expect(report.failed).toEqual([]);
    expect(bytes(report)).toEqual({ 'gpu>cpu': 2 * MIB, 'cpu>gpu1': 2 * MIB });
  });

  test('prefetches to, and prefers, a GPU by number', () => {
    const report = run(
      'managed a 2MiB\ncpu write a = 3\nadvise a preferred gpu1\nprefetch a to gpu1\ngpu read a -> x\nassert x[9] == 3\n',
      'nvidia',
      '2xh200-nvlink',
    );
    expect(report.failed).toEqual([]);
    expect(bytes(report)).toEqual({ 'cpu>gpu1': 2 * MIB });
    expect(report.remote_maps).toBe(512);
  });

  test('says so where there is no such GPU', () => {
    const report = run('managed a 4KiB\ngpu3 write a = 1\n', 'nvidia', '2xh200-nvlink');
    expect(report.error).toContain('gpu3');
  });

  test('has two cards under nouveau, each with the kernel between them', () => {
    const report = run(
      'malloc a 8KiB\ngpu write a = 5\ngpu1 write a = 6 byte 1\ngpu read a byte 1 -> x\nassert x[1] == 6\n',
      'nouveau',
      '2xpcie',
    );
    expect({ error: report.error, failed: report.failed }).toEqual({ error: null, failed: [] });
    expect(report.gpu).toBe('2xpcie');
  });

  test('counts what both cards of nouveau do, and what goes from one to the other goes through the host', () => {
    const report = run(
      'malloc a 8KiB\ncpu write a = 1\nprefetch a to gpu\nprefetch a to gpu1 # takes nothing from another card\ngpu1 write a = 3\nprefetch a to gpu1\ncpu read a -> x\nassert x[1] == 3\nassert count(bytes_to_host) == 16384\n',
      'nouveau',
      '2xpcie',
    );
    expect({ error: report.error, failed: report.failed }).toEqual({ error: null, failed: [] });
    expect(bytes(report)).toEqual({ 'cpu>gpu': 8192, 'gpu>cpu': 8192, 'cpu>gpu1': 8192, 'gpu1>cpu': 8192 });
    expect([report.bytes_to_device, report.bytes_to_host]).toEqual([16384, 16384]);
  });
});

describe('copies between GPUs that the program asks for', () => {
  const COPY =
    'vram v 16MiB vram w 16MiB on gpu1 fill v = 7 copy v to w gpu1 read w -> x assert x[511] == 7 assert count(faults) == 0';

  test('take the link where there is one', () => {
    const report = run(COPY, 'nvidia', '2xh200-nvlink');
    expect({ error: report.error, failed: report.failed }).toEqual({ error: null, failed: [] });
    expect(bytes(report)).toEqual({ 'gpu>gpu1': 16 * MIB });
  });

  test('go by way of the host where the GPUs are no peers, and take longer', () => {
    const through = run(COPY, 'nvidia', '2xpcie-nopeers');
    expect({ error: through.error, failed: through.failed }).toEqual({ error: null, failed: [] });
    expect(bytes(through)).toEqual({ 'gpu>cpu': 16 * MIB, 'cpu>gpu1': 16 * MIB });
    const direct = run(COPY, 'nvidia', '2xpcie');
    expect(bytes(direct)).toEqual({ 'gpu>gpu1': 16 * MIB });
    expect(direct.time_ns).toBeLessThan(through.time_ns);
  });

  test('stay on one GPU where both sides are', () => {
    const report = run(
      'vram v 2MiB on gpu1 vram w 2MiB on gpu1 fill v = 7 copy v to w',
      'nvidia',
      '2xh200-nvlink',
    );
    expect(bytes(report)).toEqual({});
  });

  test('from managed memory are made by the GPU of the other side, which faults on it', () => {
    const report = run(
      'managed a 2MiB vram w 2MiB on gpu1 cpu write a = 4 copy a to w gpu1 read w -> x assert x[100] == 4',
      'nvidia',
      '2xh200-nvlink',
    );
    expect({ error: report.error, failed: report.failed }).toEqual({ error: null, failed: [] });
    expect(bytes(report)).toEqual({ 'cpu>gpu1': 2 * MIB });
  });

  test('are of memory that a peer reaches without a fault, and that others do not reach', () => {
    const text = 'vram w 2MiB on gpu1 gpu write w = 3 rc e gpu1 read w -> x';
    const peers = run(
      `${text} assert e == 0 assert x[9] == 3 assert count(remote_maps) == 0`,
      'nvidia',
      '2xpcie',
    );
    expect({ error: peers.error, failed: peers.failed }).toEqual({ error: null, failed: [] });
    const others = run(
      'vram w 2MiB on gpu1 gpu write w[0] = 3 rc e assert e != 0',
      'nvidia',
      '2xpcie-nopeers',
    );
    expect(others.failed).toEqual([]);
    expect(others.fatal).not.toBeNull();
  });

  test('need the GPU, and memory that can be of one', () => {
    expect(run('vram v 4KiB on gpu3', 'nvidia', '2xpcie').error).toContain('the machine has no gpu3');
    expect(() => run('managed a 4KiB on gpu1', 'nvidia', '2xpcie')).toThrow('only vram is of one GPU');
  });
});

describe('the programs of several GPUs', () => {
  test('14 shared pages: peers over PCIe wait for each other, nouveau maps host pages on both', () => {
    const nvidia = shipped('14-two-gpus-share-pages', 'nvidia', '2xpcie');
    expect(bytes(nvidia)['gpu>gpu1']).toBeGreaterThan(64 * 1024);
    const nouveau = shipped('14-two-gpus-share-pages', 'nouveau', '2xpcie');
    expect(nouveau.bytes_to_device).toBe(0);
  });

  test('14 over NVLink: after the third journey both GPUs use the pages where they are', () => {
    const slow = shipped('14-two-gpus-share-pages', 'nvidia', '2xpcie');
    const fast = shipped('14-two-gpus-share-pages', 'nvidia', '2xh200-nvlink');
    expect(fast.pinned).toBeGreaterThan(0);
    expect(fast.faults).toBeLessThan(slow.faults);
  });

  test('15 a reduction: read over the link, or moved first', () => {
    const report = shipped('15-reduction-over-gpus', 'nvidia', '2xh200-nvlink');
    expect(bytes(report)).toEqual({ 'gpu1>gpu': 2 * MIB });
    expect(report.remote_maps).toBe(512);
  });

  test('16 data parallel training: weights are copied once to each GPU', () => {
    const report = shipped('16-data-parallel-training', 'nvidia', '2xh200-nvlink');
    const moved = bytes(report);
    expect((moved['cpu>gpu'] ?? 0) + (moved['cpu>gpu1'] ?? 0) + (moved['gpu>gpu1'] ?? 0)).toBe(4 * MIB);
  });
});
