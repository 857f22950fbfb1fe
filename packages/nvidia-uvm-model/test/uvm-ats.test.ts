import { GPU_ACCESS_READ, GPU_ACCESS_WRITE, GpuChannel, gpuPreset } from '@hmm/gpu';
import { Machine, type ProgramRun, runProgram } from '@hmm/machine';
import { UvmClient, UvmEventTypeMigration, UvmModuleParams, type UvmProcess } from '@hmm/nvidia-uvm-model';
import { DEFAULT_DEVICE, parseProgram } from '@hmm/workload';
import { describe, expect, it } from 'vitest';
import { params } from './setup.js';

interface Ran extends ProgramRun {
  readonly client: UvmClient;
  readonly machine: Machine;
  readonly migrations: [number, number][];
}

/** Runs a program on a GH200; with `memoryPages` pages of device memory. */
function run(text: string, with_ = new UvmModuleParams(), memoryPages = 2048): Ran {
  const parsed = parseProgram(text, 'test');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const machine = new Machine({ trace: true });
  const { kernel, memory } = machine;
  const client = new UvmClient(kernel, memory, gpuPreset('gh200'), { params: with_, memoryPages });
  machine.addDevice(DEFAULT_DEVICE, client);
  const ran = runProgram(machine, parsed.program, new Map());
  const migrations: [number, number][] = [];
  for (let i = 0; i < kernel.trace.length; i++) {
    const event = kernel.trace.at(i);
    if (event.kind === UvmEventTypeMigration) migrations.push([event.page, event.length]);
  }
  return { ...ran, client, machine, migrations };
}

/** Runs a program whose assertions are to hold. */
function holds(text: string, with_?: UvmModuleParams, memoryPages?: number): Ran {
  const ran = run(text, with_, memoryPages);
  expect([ran.problem?.message, ran.failures.map(({ seen }) => seen)]).toEqual([undefined, []]);
  return ran;
}

describe('what the CPU has mapped', () => {
  it('the GPU reaches without a fault, across the link, and it stays', () => {
    holds(`malloc a 16pages cpu write a = 3 step 1
      gpu read a -> x gpu write a[5] = 99 cpu read a[5] -> y
      assert x[15] == 18 /\\ y == 99 /\\ where(a[5]) = cpu
      assert count(faults) = 0 /\\ count(remote_accesses) = 17 /\\ mapped(a[5]) = rw`);
  });

  it.each(['parallel', ''])('whatever the shape of the kernel: %s', (shape) => {
    holds(`malloc a 600pages cpu write a = 3 step 1
      gpu read a ${shape} -> x gpu write a ${shape} = 7 cpu read a -> y
      assert x[599] == 90 /\\ y[599] == 7 /\\ count(faults) = 0`);
  });

  it('a grid-stride read too', () => {
    holds('malloc a 2MiB cpu write a = 3 gpu stream a assert count(faults) = 0');
  });

  it('a read of what the CPU only read gets the zero page; a write faults and is placed on the GPU', () => {
    holds(`malloc a 4pages cpu read a gpu read a -> x assert x == [0, 0, 0, 0] /\\ count(faults) = 0
      gpu write a[2] = 5 cpu read a -> y
      assert y == [0, 0, 5, 0] /\\ where(a[2]) = gpu /\\ where(a[0]) = cpu /\\ count(faults) = 1`);
  });

  it('what changes there the GPU sees: munmap, mprotect, a copy on write', () => {
    const gone = run('malloc a 4pages cpu write a = 1 gpu read a munmap a[1] gpu read a[1] rc e');
    expect(gone.problem).toBeUndefined();
    expect(gone.results.get('e')).toEqual([-14]);
    const shut = run('malloc a 4pages cpu write a = 1 gpu write a = 2 mprotect a r gpu write a = 3 rc e');
    expect(shut.results.get('e')).toEqual([-13]);
    holds(`malloc a 4pages cpu write a = 1 gpu write a = 2 fork child
      gpu write a = 3 in child { cpu read a -> c } gpu read a -> p
      assert c == [2, 2, 2, 2] /\\ p == [3, 3, 3, 3] wait child`);
  });

  it('a CPU that writes while the GPU does loses nothing', () => {
    holds(`malloc a 64pages cpu write a = 0
      together {
        thread C { for i = 0..40 { cpu write a = i byte 1 } }
        thread G { for j = 0..40 { gpu write a = j byte 2 } }
        thread F { fork child in child { cpu read a } wait child }
      }
      cpu read a byte 1 -> x cpu read a byte 2 -> y assert x[63] == 39 /\\ y[63] == 39`);
  });
});

describe('first touch by the GPU', () => {
  it('places the page in device memory, where the CPU uses it without a fault', () => {
    const ran =
      holds(`malloc a 4pages gpu write a[0] = 7 cpu read a[0] -> x cpu write a[0] = 8 gpu read a[0] -> y
      assert x == 7 /\\ y == 8 /\\ where(a[0]) = gpu /\\ count(faults) = 1 /\\ count(cpu_faults) = 0
      assert where(a[1]) = none`);
    expect(ran.migrations).toEqual([]);
  });

  it('with what the density tree adds: a fault grows to no 64 KiB', () => {
    holds(`malloc a 2MiB gpu read a[0..5]
      assert count(faults) = 4 /\\ where(a[7]) = gpu /\\ where(a[8]) = none`);
    const faults = (with_: UvmModuleParams): number =>
      run('malloc a 2MiB gpu write a = 1', with_).client.counters().faults;
    expect(faults(new UvmModuleParams())).toBe(17);
    expect(faults(params({ uvm_perf_prefetch_threshold: 1 }))).toBe(2);
    expect(faults(params({ uvm_perf_prefetch_threshold: 0 }))).toBe(1);
    expect(faults(params({ uvm_perf_prefetch_enable: 0 }))).toBe(512);
  });

  it('not of what the CPU has: that stays, and pages taken along keep their place too', () => {
    holds(
      `malloc a 2MiB cpu write a[8..16] = 4 gpu write a[0] = 1
        assert where(a[0]) = gpu /\\ where(a[7]) = gpu /\\ where(a[8]) = cpu /\\ where(a[16]) = gpu
        cpu read a[8] -> x assert x == 4`,
      params({ uvm_perf_prefetch_threshold: 1 }),
    );
  });

  it('of files and of read-only memory is as if by the CPU', () => {
    holds('file f 4pages gpu read f[0] -> x assert count(faults) = 1 /\\ where(f[0]) = cpu');
    holds('malloc a 4pages r gpu read a[0] -> x assert x == 0 /\\ where(a[0]) = cpu');
    const write = run('malloc a 4pages r gpu write a[0] = 1 rc e');
    expect(write.results.get('e')).toEqual([-13]);
  });

  it('without room goes to system memory, and pushes nothing out', () => {
    const full = holds(
      `malloc a 2MiB malloc b 2MiB gpu write a = 1 gpu write b = 2
        assert where(a[0]) = gpu /\\ where(b[0]) = cpu cpu read b -> x assert x[511] == 2`,
      undefined,
      512,
    );
    expect(full.client.counters().evictedPages).toBe(0);
  });

  it('outside of any mapping is fatal', () => {
    expect(run('malloc a 4pages munmap a gpu read a[0] rc e').results.get('e')).toEqual([-14]);
  });

  it('by a copy engine is served alike', () => {
    const { machine, client } = holds('malloc a 4pages gpu read a[0]');
    const process = machine.processes.get('main') ?? [...machine.processes.values()][0];
    const device = process?.devices.get(DEFAULT_DEVICE) as UvmProcess | undefined;
    if (device === undefined) throw new Error('no device');
    const channel = new GpuChannel(device.space.instance);
    const vpn = machine.regions.get('a')?.vpn ?? 0;
    const reach = (page: number, access: number): boolean =>
      machine.kernel.sched.runSync(client.driver.gpu.hw.channelAccess(channel, vpn + page, access));
    const before = client.counters().faults;
    expect([reach(0, GPU_ACCESS_READ), reach(3, GPU_ACCESS_WRITE)]).toEqual([true, true]);
    expect(client.counters().faults).toBe(before + 1);
    const bits = new Uint8Array(4);
    device.residency(vpn, 4, bits);
    expect([...bits].map((b) => (b & 2) !== 0)).toEqual([true, false, false, true]);
  });
});

describe('requests', () => {
  it('a prefetch moves what is mapped, page by page, and back; nobody faults afterwards', () => {
    const { migrations } = holds(`malloc a 4pages cpu write a = 3 step 1
      prefetch a to gpu assert where(a[3]) = gpu
      gpu read a -> x cpu read a -> y
      prefetch a to cpu assert where(a[3]) = cpu
      assert x == [3, 4, 5, 6] /\\ y == [3, 4, 5, 6] /\\ count(faults) = 0 /\\ count(cpu_faults) = 0
      assert count(bytes_to_device) = 16384 /\\ count(bytes_to_host) = 16384`);
    expect(migrations.map(([, length]) => length)).toEqual(Array<number>(8).fill(1));
  });

  it('holes are populated where it goes', () => {
    holds(`malloc a 4pages prefetch a[0..2] to gpu prefetch a[2] to cpu
      assert where(a[1]) = gpu /\\ where(a[2]) = cpu /\\ where(a[3]) = none
      gpu read a[0] -> x assert x == 0 /\\ count(faults) = 0`);
  });

  it('advice is user space’s own business', () => {
    holds(`malloc a 4pages advise a preferred cpu rc e advise a accessed_by gpu rc f gpu write a = 1
      assert e == 0 /\\ f == 0 /\\ where(a[0]) = gpu`);
  });

  it('what the device is to give up goes home', () => {
    holds(
      'malloc a 2MiB gpu write a = 6 pressure 0B cpu read a -> x assert x[511] == 6 /\\ where(a[511]) = cpu',
    );
  });

  it('without ATS there is none of it', () => {
    const off = params({ uvm_ats_mode: 0, uvm_disable_hmm: 0 });
    holds(
      'malloc a 16pages cpu write a = 3 gpu read a -> x assert where(a[0]) = gpu /\\ count(faults) = 1',
      off,
    );
  });
});
