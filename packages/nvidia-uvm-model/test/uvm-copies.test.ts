import { UvmClient } from '@hmm/nvidia-uvm-model';
import { goldenText } from '@hmm/golden';
import { gpuPreset } from '@hmm/gpu';
import { Machine, type ProgramRun, runProgram } from '@hmm/machine';
import { validateCapture } from '@hmm/nvidia-uvm-model/validate';
import { DEFAULT_DEVICE, parseProgram } from '@hmm/workload';
import { describe, expect, it } from 'vitest';

/** Scenarios with copies whose two runs agree by what order the faults of a fill of many pages come in, which is chance in hardware. */
const FILLS_BY_CHANCE = 2;
/** Of the scenarios whose runs differ, so many have bytes that are within the spread of the runs or 10 %. */
const WITHIN = 28;

function run(text: string, memoryPages?: number): ProgramRun & { readonly log: readonly string[] } {
  const parsed = parseProgram(text, 'copies.hmm');
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('; '));
  const machine = new Machine();
  const options = memoryPages === undefined ? {} : { memoryPages };
  const client = new UvmClient(machine.kernel, machine.memory, gpuPreset('h100'), options);
  machine.addDevice(DEFAULT_DEVICE, client);
  return { ...runProgram(machine, parsed.program, new Map()), log: client.log };
}

function holds(text: string): void {
  const ran = run(text);
  expect([ran.problem, ran.failures]).toEqual([undefined, []]);
}

describe('copies and fills of the runtime', () => {
  it('carry what is in the pages between managed, device and system memory', () => {
    holds(`managed a 64KiB vram v 64KiB malloc h 64KiB
      cpu write a = 5 step 1
      copy a to v
      fill a[0..4] = 9
      copy v to h
      cpu read h -> x assert x[0] == 5 /\\ x[15] == 20
      cpu read a -> y assert y[0] == 9 /\\ y[4] == 9`);
  });

  it('bring managed pages to the GPU, which faults on them', () => {
    holds(`managed a 64KiB vram v 64KiB cpu write a = 5
      copy a to v assert where(a[0]) = gpu /\\ count(faults) >= 1`);
  });

  it('leave managed pages alone that prefer the CPU: the GPU maps them', () => {
    holds(`managed a 64KiB vram v 64KiB cpu write a = 5 advise a preferred cpu
      copy a to v assert where(a[0]) = cpu`);
  });

  it('are refused where sizes differ and where no side is a driver’s', () => {
    expect(run('managed a 8KiB vram v 4KiB copy a to v').problem?.message).toBe(
      'a copy of 2 pages does not go into 1',
    );
    expect(run('malloc a 4KiB malloc b 4KiB copy a to b').problem?.message).toMatch(/memory of a driver/);
  });

  it('agree with an H200: events of scenarios whose runs agree, bytes by direction and cause of the others', () => {
    const result = validateCapture(goldenText('h200-parts/copies.jsonl.gz'));
    expect(result.deterministic).toBe(26);
    expect(result.exact).toBeGreaterThanOrEqual(26 - FILLS_BY_CHANCE);
    const within = result.per_scenario.filter(({ totals }) =>
      totals?.rows.every((row) => row.within || !row.what.endsWith('bytes')),
    );
    expect(within.length).toBeGreaterThanOrEqual(WITHIN);
  });
});

describe('memory that cudaMalloc gives', () => {
  it('is the GPU’s at once, raises no fault there, and is out of the CPU’s reach', () => {
    holds(`vram v 1MiB gpu write v = 3 assert count(faults) = 0 /\\ where(v[0]) = gpu
      cpu read v[0] rc s assert s != 0`);
  });

  it('takes room that managed memory then has not, and is not evicted for it', () => {
    const ran = run(
      'vram v 4MiB managed a 4MiB gpu write a = 1 gpu write v = 2 assert where(a[0]) = cpu /\\ where(v[0]) = gpu',
      3 * 512,
    );
    expect([ran.problem, ran.failures]).toEqual([undefined, []]);
  });

  it('is refused where there is no room, and where advice or a prefetch names it', () => {
    expect(run('vram v 8MiB', 3 * 512).problem?.message).toMatch(/ENOMEM/);
    holds('vram v 1MiB advise v preferred gpu rc e prefetch v to cpu rc f assert e < 0 /\\ f < 0');
  });
});

describe('nothing at all', () => {
  it.each([
    ['managed a 0B', /cudaMallocManaged of 0 bytes/],
    ['vram v 0B', /cudaMalloc of 0 bytes/],
    ['managed a 4KiB advise a[0..0] preferred gpu', /empty: calls of 0 bytes fail/],
    ['managed a 4KiB prefetch a[0..0] to gpu', /cudaErrorInvalidValue/],
  ])('%s', (text, message) => {
    expect(run(text).problem?.message).toMatch(message);
  });
});

describe('a long-term pin on managed memory', () => {
  it('faults the page in, and reads the old value once the page has gone to the GPU', () => {
    const ran = run(`managed a 64KiB gpu write a = 5 pin a[3] write
      assert where(a[3]) = cpu
      gpu write a = 7 step 0 pinned a[3] -> stale cpu read a[3] -> now
      assert stale == 5 /\\ now == 7 unpin a[3] pinned a[3] rc e assert e != 0`);
    expect([ran.problem, ran.failures]).toEqual([undefined, []]);
    expect(ran.log.join()).toMatch(/page 3 .* long-term pin .* stale copy/);
  });
});
