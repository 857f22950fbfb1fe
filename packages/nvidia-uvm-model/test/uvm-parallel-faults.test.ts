import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type CaptureRun, type CaptureStep, pagesOfOrder, runScenario } from '@hmm/nvidia-uvm-model/validate';
import { UvmEventTypeGpuFault, UvmEventTypeGpuFaultReplay } from '@hmm/nvidia-uvm-model';
import { describe, expect, it } from 'vitest';

const MIB = 1 << 20;
/** Recorded faults: batch, page, ns, GPC, client. */
type Fault = readonly [number, number, number, number, number];

interface Kernel {
  readonly bytes: number;
  readonly step: string;
  /** The pages of each batch, of each run. */
  readonly runs: (readonly number[])[][];
}

/** Every fault of 24 kernels of one thread a page, two runs each, on a real H100. */
function recorded(): Map<string, Kernel> {
  const name = 'h100-580.159.04-faults.jsonl.gz';
  const at = new URL(`../../../tools/uvm-capture/recordings/${name}`, import.meta.url);
  const kernels = new Map<string, Kernel>();
  let scenario = '';
  let bytes = 0;
  for (const line of gunzipSync(readFileSync(at)).toString('utf8').trim().split('\n')) {
    const row = JSON.parse(line) as { scenario?: string; bytes?: number; step?: string; faults?: Fault[] };
    scenario = row.scenario ?? scenario;
    bytes = row.bytes ?? bytes;
    if (row.step === undefined || row.faults === undefined) continue;
    const batches = new Map<number, number[]>();
    for (const [batch, page] of row.faults) batches.set(batch, [...(batches.get(batch) ?? []), page]);
    const kernel = kernels.get(scenario) ?? { bytes, step: row.step, runs: [] };
    kernel.runs.push([...batches.values()]);
    kernels.set(scenario, kernel);
  }
  return kernels;
}

const OPS: Readonly<Record<string, string>> = { cw: 'cpu_write', pr: 'gpu_par_read', pw: 'gpu_par_write' };

/** The pages of each batch in the model. */
function modelled(name: string, { bytes, step }: Kernel): number[][] {
  const asked = name.startsWith('first') ? [step] : ['cw:seq', step];
  const count = bytes / 4096;
  const steps = asked.map((text): CaptureStep => {
    const [op = '', ...order] = text.split(':');
    const pages = pagesOfOrder(order.join(':'), count);
    return { op: OPS[op] ?? '', order: order.join(':'), count, t0: 0, t1: 0, pages };
  });
  const run: CaptureRun = {
    line: 1,
    run: 0,
    scenario: name,
    bytes,
    asked,
    steps,
    events: [],
    summarised: false,
  };
  const { trace } = runScenario(run).driver.kernel;
  const batches: number[][] = [[]];
  const first = 0x7f0000000;
  for (let i = 0; i < trace.length; i++) {
    const event = trace.at(i);
    if (event.kind === UvmEventTypeGpuFaultReplay) batches.push([]);
    if (event.kind === UvmEventTypeGpuFault) batches.at(-1)?.push(event.page - first);
  }
  return batches.filter((pages) => pages.length > 0);
}

const KERNELS = [...recorded()];
const blocks = (pages: readonly number[]): number => new Set(pages.map((page) => page >> 7)).size;
/** How many pages of each warp, the largest first, for each thread block. */
const ofWarps = (pages: readonly number[]): number[][] => {
  const counts = new Map<number, Map<number, number>>();
  for (const page of pages) {
    const warps = counts.get(page >> 7) ?? new Map<number, number>();
    counts.set(page >> 7, warps.set(page >> 5, (warps.get(page >> 5) ?? 0) + 1));
  }
  return [...counts.values()].map((warps) => [...warps.values()].sort((a, b) => b - a));
};

describe('the faults of parallel kernels, beside every fault on a real H100', () => {
  it('24 kernels were recorded, twice', () => {
    expect(KERNELS.map(([, { runs }]) => runs.length)).toEqual(new Array(24).fill(2));
  });

  it.each(KERNELS.filter(([name, { bytes }]) => bytes <= 2 * MIB && !name.startsWith('rand')))(
    '%s: each batch has as many faults, of as many thread blocks',
    (name, kernel) => {
      const model = modelled(name, kernel).map((pages) => [pages.length, blocks(pages)]);
      for (const run of kernel.runs) expect(model).toEqual(run.map((pages) => [pages.length, blocks(pages)]));
    },
  );

  it.each(KERNELS.filter(([name, { bytes }]) => bytes <= 2 * MIB && !name.startsWith('rand')))(
    '%s: at first a whole warp and most of another of each thread block, then a few lanes of one',
    (name, kernel) => {
      const model = modelled(name, kernel).map(ofWarps);
      for (const run of kernel.runs) expect(model).toEqual(run.map(ofWarps));
    },
  );

  it.each(KERNELS.filter(([, { bytes }]) => bytes > 2 * MIB))(
    '%s: as many batches, within two of either run',
    (name, kernel) => {
      const model = modelled(name, kernel);
      const counts = kernel.runs.map((run) => run.length);
      expect(model.length).toBeGreaterThanOrEqual(Math.min(...counts) - 2);
      expect(model.length).toBeLessThanOrEqual(Math.max(...counts) + 2);
      expect(model[0]).toHaveLength(256);
    },
  );

  it.each(['read-64m', 'write-64m', 'first-64m'])(
    '%s: the second batch is what the first left of one wave of faults: nearly all thread blocks',
    (name) => {
      const kernel = KERNELS.find(([other]) => other === name)?.[1];
      const [first, second] = kernel === undefined ? [] : modelled(name, kernel);
      for (const run of kernel?.runs ?? []) expect(blocks(run[1] ?? [])).toBeGreaterThan(120);
      expect(blocks(second ?? [])).toBeGreaterThan(120);
      expect(blocks(first ?? [])).toBeLessThan(110);
    },
  );
});
