import { GPU_PRESETS, gpuPreset } from '@hmm/gpu';
import { ENODEV, ENOSYS, Kernel } from '@hmm/kernel';
import { Machine, runProgram } from '@hmm/machine';
import { MemorySystem, mmCreate } from '@hmm/mm';
import { uvmCapability, UvmClient, UvmModuleParams } from '@hmm/nvidia-uvm-model';
import { DEFAULT_DEVICE, parseProgram } from '@hmm/workload';
import { describe, expect, it } from 'vitest';
import { Bench, params } from './setup.js';

const NAMES = GPU_PRESETS.map(({ name }) => name);
const FAULTING = NAMES.filter((name) => !['k80', 'm40'].includes(name));
const WITH_SYSTEM_MEMORY = FAULTING.filter((name) => !['p100', 'v100'].includes(name));

const system = (gpu: string, with_ = new UvmModuleParams(), release?: number): string => {
  const capability = uvmCapability(gpuPreset(gpu), with_, release);
  if (!capability.ok) return capability.reason;
  return capability.system.kind === 'none' ? capability.system.reason : capability.system.kind;
};

/** Runs a program; what went wrong, or undefined. */
function run(gpu: string, memory: 'malloc' | 'managed'): string | undefined {
  const source = `${memory} a 4MiB\ncpu write a = 1 step 3\ngpu atomic a += 1\ncpu read a -> x\nassert x[7] == 23`;
  const parsed = parseProgram(source, 'test');
  if (!parsed.ok) return parsed.errors[0]?.message;
  const machine = new Machine();
  const client = new UvmClient(machine.kernel, machine.memory, gpuPreset(gpu));
  machine.addDevice(DEFAULT_DEVICE, client);
  const { failures, problem } = runProgram(machine, parsed.program, new Map());
  return problem?.message ?? failures[0]?.seen;
}

describe('who cannot replay a fault', () => {
  it.each([
    ['k80', -ENODEV],
    ['m40', -ENOSYS],
  ])('%s: neither managed memory for both sides at once nor HMM, and why', (gpu, errno) => {
    const capability = uvmCapability(gpuPreset(gpu), new UvmModuleParams());
    expect(capability).toMatchObject({ ok: false, errno });
    expect(system(gpu)).toMatch(/cannot replay a fault/);
    expect(system(gpu)).toMatch(/neither managed memory for both sides at once nor HMM/);
    const kernel = new Kernel();
    const memory = new MemorySystem(kernel);
    const client = new UvmClient(kernel, memory, gpuPreset(gpu));
    const opened = kernel.sched.runSync(client.openProcess(mmCreate(memory)));
    expect(opened).toEqual({ ok: false, errno, reason: system(gpu) });
  });
});

describe('who can', () => {
  it.each(FAULTING)('%s runs a program on managed memory', (gpu) => {
    expect(run(gpu, 'managed')).toBeUndefined();
  });

  it.each(WITH_SYSTEM_MEMORY)("%s runs it on malloc'd memory", (gpu) => {
    expect(run(gpu, 'malloc')).toBeUndefined();
  });

  it.each(['p100', 'v100'])("%s is lost on malloc'd memory, and says why", (gpu) => {
    expect(run(gpu, 'malloc')).toMatch(/Xid 31.*; HMM needs compute capability 7\.5, and Tesla/);
    const { kernel, memory } = new Machine();
    const capability = new UvmClient(kernel, memory, gpuPreset(gpu)).capability();
    expect(capability).toMatchObject({
      ok: true,
      features: { systemMemory: false, systemMemoryRefusal: system(gpu) },
    });
  });
});

describe('what else decides', () => {
  it('ATS goes with its switches; HMM is off by default where the CPU is no x86-64', () => {
    expect(system('gh200')).toBe('ats');
    expect(system('gb200')).toBe('ats');
    expect(system('gh200', params({ uvm_ats_mode: 0 }))).toBe('uvm_disable_hmm is 1 by default on aarch64');
    expect(system('gh200', params({ uvm_ats_mode: 0, uvm_disable_hmm: 0 }))).toBe('hmm');
    expect(system('gh200', params({ uvm_enable_va_space_mm: 0, uvm_disable_hmm: 0 }))).toMatch(
      /no address space to mirror/,
    );
  });

  it('the Pascal with HMM keeps to the switches too', () => {
    expect(system('p100-2016')).toBe('hmm');
    expect(system('p100-2016', params({ uvm_disable_hmm: 1 }))).toBe('uvm_disable_hmm is set');
  });

  it.each([
    ['v100', 590, 'HMM needs compute capability 7.5, and Tesla V100 has 7.0'],
    ['v100', 595, 'release 595 begins with Turing GPUs, and Tesla V100 is older'],
    ['t4', 595, 'hmm'],
    ['b200', 550, 'release 550 does not know B200: 560 is the first to'],
    ['b200', 560, 'hmm'],
    ['rtx5090', 565, 'release 565 does not know GeForce RTX 5090: 570 is the first to'],
    ['rtx5090', 570, 'hmm'],
  ])('%s under release %i: %s', (gpu, release, expected) => {
    expect(system(gpu, new UvmModuleParams(), release)).toBe(expected);
  });

  it.each([
    [570, true],
    [575, false],
  ])("Volta's access counters under release %i: %s", (release, enabled) => {
    const on = params({ uvm_perf_access_counter_migration_enable: 1 });
    const bench = new Bench(1, { gpu: 'v100', params: on, release });
    expect(bench.driver.gpu.accessCounters.enabled).toBe(enabled);
  });
});
