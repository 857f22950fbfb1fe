import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compareClients, requestOf, runOnClient, type RunRequest } from '@hmm/cli';
import { nouveauFactory } from '@hmm/nouveau-model';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import type { ClientReport, CompareReport } from '@hmm/report';

const FOLDER = new URL('../programs/', import.meta.url);
const FACTORIES = [nouveauFactory(), uvmFactory()];
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.hmm'));
const OPTIONS = { json: false, seed: 1, set: new Map<string, string>(), gpu: undefined, client: undefined };
const MIB = 2 ** 20;

function request(file: string): RunRequest {
  const read = requestOf(readFileSync(new URL(file, FOLDER), 'utf8'), file, OPTIONS, FACTORIES);
  if (!read.ok) throw new Error(read.messages.join('\n'));
  return read.request;
}

interface Sides {
  readonly report: CompareReport;
  readonly nouveau: ClientReport;
  readonly nvidia: ClientReport;
  readonly why: string;
}

/** The program whose file begins with `number`, under both drivers; it has to hold under both. */
function compare(number: string): Sides {
  const file = FILES.find((name) => name.startsWith(number)) ?? '';
  const asked = request(file);
  const gpu = asked.program.settings.find(({ key }) => key.text === 'gpu')?.value ?? 'p100';
  const report = compareClients(asked, FACTORIES, OPTIONS, gpu);
  if (typeof report === 'string') throw new Error(report);
  const [nouveau, nvidia] = report.clients;
  if (nouveau === undefined || nvidia === undefined) throw new Error('a client is missing');
  for (const { error, failed } of report.clients)
    expect({ error, failed }).toEqual({ error: null, failed: [] });
  return {
    report,
    nouveau,
    nvidia,
    why: report.differences.map(({ what, why }) => `${what} ${why}`).join('\n'),
  };
}

describe('the ten differences', () => {
  test('1 CPU fills, GPU sums: nouveau maps 512 host pages, NVIDIA moves 2 MiB there and back', () => {
    const { nouveau, nvidia, why } = compare('01');
    expect(nouveau).toMatchObject({ faults: 512, remote_maps: 512, bytes_to_device: 0, cpu_faults: 0 });
    expect(nvidia).toMatchObject({ faults: 6, bytes_to_device: 2 * MIB, bytes_to_host: 2 * MIB });
    expect(why).toContain('only SVM_BIND migrates');
  });

  test('2 GPU fills, CPU reads: nouveau has it in host memory all the time, NVIDIA brings it from where it was born', () => {
    const { nouveau, nvidia, why } = compare('02');
    expect(nouveau).toMatchObject({ bytes_to_device: 0, bytes_to_host: 0 });
    expect(nvidia).toMatchObject({ bytes_to_device: 0, bytes_to_host: 2 * MIB });
    expect(why).toContain('never been on the host');
    expect(why).toContain('the GPU gets it in device memory');
  });

  test('3 repeated passes: nouveau crosses the link each time, NVIDIA pays once', () => {
    const { nouveau, nvidia } = compare('03');
    expect(nouveau).toMatchObject({ faults: 1024, remote_accesses: 8 * 1024 });
    expect(nvidia).toMatchObject({ bytes_to_device: 4 * MIB, remote_accesses: 0 });
    expect(nouveau.time_by_part.running).toBeGreaterThan(5 * nvidia.time_by_part.running);
  });

  test('4 ping-pong: nouveau is quiet after the first fault, NVIDIA migrates, throttles, pins', () => {
    const { nouveau, nvidia, why } = compare('04');
    expect(nouveau).toMatchObject({ faults: 1, cpu_faults: 0, throttled: 0 });
    expect(nvidia.faults).toBeGreaterThan(50);
    expect(nvidia.throttled).toBeGreaterThanOrEqual(10);
    expect(nvidia.pinned).toBeGreaterThan(0);
    expect(why).toContain('nothing detects thrashing');
  });

  test('5 more than device memory: nouveau does not notice, NVIDIA evicts', () => {
    const { nouveau, nvidia, why } = compare('05');
    expect(nouveau).toMatchObject({ evicted_pages: 0, bytes_to_device: 0 });
    expect(nvidia.evicted_pages).toBeGreaterThan(3000);
    expect(nvidia.by_cause['eviction']?.to_host).toBe(nvidia.evicted_pages * 4096);
    expect(why).toContain('never evicts');
  });

  test('6 shared counter: nouveau flips the page between device-exclusive and the CPU, NVIDIA moves it', () => {
    const { nouveau, nvidia, why } = compare('06');
    expect(nouveau).toMatchObject({ faults: 8, bytes_to_device: 0, remote_accesses: 8 });
    expect(nouveau.invalidations).toBeGreaterThanOrEqual(8);
    expect(nvidia.bytes_to_device).toBe(8 * 4096);
    expect(why).toContain('makes the page exclusive to the device');
  });

  test('7 a mapped file: both map host memory, page by page', () => {
    const { nouveau, nvidia } = compare('07');
    for (const side of [nouveau, nvidia]) {
      expect(side).toMatchObject({ bytes_to_device: 0, remote_maps: 256, remote_accesses: 512 });
    }
  });

  test('8 a request larger than device memory: nouveau leaves the rest behind and says nothing, NVIDIA evicts for it', () => {
    const { nouveau, nvidia, why } = compare('08');
    expect(nouveau).toMatchObject({ values: { asked: [0] }, evicted_pages: 0 });
    expect(nouveau.by_cause['user']).toEqual({ to_device: 4 * MIB, to_host: 0 });
    expect(nouveau.remote_maps).toBe(512);
    expect(nvidia.values['asked']).toEqual([0]);
    expect(nvidia.by_cause['user']?.to_device).toBe(6 * MIB);
    expect(nvidia.evicted_pages).toBeGreaterThan(0);
    expect(why).toContain('returns 0 whatever happened');
  });

  test('9 fork: the child of nouveau has its copy; managed memory raises SIGBUS in the child', () => {
    const { nouveau, nvidia, why } = compare('09');
    expect(nouveau.values).toMatchObject({ child_rc: [0], later_rc: [0] });
    expect(nouveau.values['in_child']).toEqual(new Array(16).fill(6));
    expect(nouveau.values['later']).toEqual(new Array(16).fill(6));
    expect(nvidia.values).toMatchObject({ child_rc: [7], later_rc: [7] });
    expect(nvidia.changed.join()).toContain('malloc became managed memory');
    expect(why).toContain('the child gets SIGBUS');
  });

  test('10 munmap under a running kernel: a killed channel, a lost context; the process goes on under both', () => {
    const { nouveau, nvidia, why } = compare('10');
    expect(nouveau.fatal).toContain('channel 0 killed');
    expect(nvidia.fatal).not.toBeNull();
    expect(nvidia.fatal).not.toContain('channel 0 killed');
    expect(why).toContain('the channel is killed');
    expect(why).toContain('Xid 31');
  });
});

/** Whether a program runs to its end under a driver on a GPU with its assertions holding; else why not. */
function keeps(file: string, client: 'nouveau' | 'nvidia', gpu: string): string {
  const factory = FACTORIES.find(({ name }) => name === client);
  if (factory === undefined) throw new Error(`no ${client}`);
  const ran = runOnClient(request(file), factory, gpu);
  if (!ran.ok) throw new Error(ran.message);
  return ran.report.error ?? (ran.report.failed.length === 0 ? 'kept' : ran.report.failed.join());
}

describe.each([
  '11-cpp17-parallel-algorithm.hmm',
  '12-opencl-fine-grained-svm.hmm',
  '13-cuda-system-allocated.hmm',
])('the standard model of %s', (file) => {
  test.each(['k80', 'm40'])('cannot be kept on %s: it cannot replay a fault', (gpu) => {
    expect(keeps(file, 'nouveau', gpu)).toContain('cannot replay a fault');
    expect(keeps(file, 'nvidia', gpu)).not.toBe('kept');
  });

  test('is kept on a P100 by nouveau, not by NVIDIA, which has no mirror of malloc there', () => {
    expect(keeps(file, 'nouveau', 'p100')).toBe('kept');
    expect(keeps(file, 'nvidia', 'p100')).not.toBe('kept');
  });

  test('would have been kept by both on the P100 of the 2016 announcement', () => {
    expect(keeps(file, 'nouveau', 'p100-2016')).toBe('kept');
    expect(keeps(file, 'nvidia', 'p100-2016')).toBe('kept');
  });

  test('is kept on an H100 by NVIDIA, not by nouveau: GSP-RM', () => {
    expect(keeps(file, 'nouveau', 'h100')).toContain('GSP-RM');
    expect(keeps(file, 'nvidia', 'h100')).toBe('kept');
  });
});

describe('the folder', () => {
  const readme = readFileSync(new URL('README.md', FOLDER), 'utf8');

  test.each(FILES)('%s has a name, a sentence and an explanation', (file) => {
    const { program } = request(file);
    expect(file).toBe(`${file.slice(0, 2)}-${program.name}.hmm`);
    expect(program.doc.length).toBeGreaterThan(20);
    const section = readme.split('\n## ').find((text) => text.includes(`(${file})`)) ?? '';
    expect(section.length).toBeGreaterThan(300);
  });

  test('the comparison is one JSON document whose numbers do not depend on the run', () => {
    expect(JSON.stringify(compare('12').report)).toBe(JSON.stringify(compare('12').report));
  });
});
