import type { StreamShape } from '@hmm/device';
import { Gpu, GPU_ACCESS_ATOMIC_WEAK, GPU_ACCESS_READ, GPU_ACCESS_WRITE, gpuPreset } from '@hmm/gpu';
import { HmmError, Kernel, PAGE_SIZE, type Task } from '@hmm/kernel';
import { UvmTiming } from '../timing/uvm-timing.js';
import type { UvmFigures } from '../timing/uvm-figures.js';
import { uvmCpuAccess } from '../uvm-cpu-access.js';
import { UvmDriver } from '../uvm-driver.js';
import { launchKernel } from '../uvm-launch.js';
import { uvmMigrate } from '../uvm-migrate.js';
import type { UvmModuleParams } from '../uvm-module-params.js';
import type { UvmPerfPolicy } from '../uvm-perf-policy.js';
import { uvmEnableReadDuplication, uvmSetAccessedBy, uvmSetPreferredLocation } from '../uvm-policy.js';
import { UVM_ID_CPU, UVM_ID_GPU } from '../uvm-types.js';
import type { UvmVaSpace } from '../uvm-va-space.js';
import type { UvmTimingPorts } from '../uvm-work.js';
import type { CaptureEvent, CaptureRun, CaptureStep } from './capture.js';
import { duel } from './duel.js';
import { captureEvents } from './events.js';
import { pagesOfOrder } from './orders.js';

/** Where the allocation lies: a page number of a real `mmap` area, 2 MiB aligned. */
const BASE = 0x7f0000000;

/** How a scenario is run. */
export interface ScenarioOptions {
  readonly gpu?: string;
  readonly params?: UvmModuleParams;
  readonly policy?: UvmPerfPolicy;
  /** What the driver's work costs; the recorded machine's figures when left out. */
  readonly figures?: UvmFigures;
  /** Puts another clock, or other costs, in the place of those `made` by the figures. */
  readonly timing?: (made: UvmTimingPorts) => UvmTimingPorts;
  readonly seed?: number;
}

/** What the model did. */
export interface ScenarioResult {
  readonly events: readonly CaptureEvent[];
  /** Predicted duration of each step, ns. */
  readonly stepNs: readonly number[];
  readonly driver: UvmDriver;
}

interface Machine {
  readonly kernel: Kernel;
  readonly driver: UvmDriver;
  readonly space: UvmVaSpace;
  readonly pages: number;
  kernels: number;
}

/** The program's own work before a step, ns: a first launch loads the module, launches and calls cost, touches do not. */
const FIRST_LAUNCH_GAP = 90_000;
const LAUNCH_GAP = 10_400;
const CALL_GAP = 45_000;
const TOUCH_GAP = 1500;
/** `sleep:MS` oversleeps by this, ns. */
const SLEEP_OVER = 70_000;

/** Runs the steps of a recorded run on the model: same allocation, same pages in the same order. */
export function runScenario(run: CaptureRun, options: ScenarioOptions = {}): ScenarioResult {
  const kernel = new Kernel();
  const preset = gpuPreset(options.gpu ?? 'h100');
  const gpu = new Gpu(kernel, preset, { maxTables: 4096, seed: options.seed ?? 2 });
  const made = new UvmTiming(kernel.sched, preset.serviceScale.value, options.figures);
  const timing = options.timing?.(made) ?? made;
  const driver = new UvmDriver(kernel, gpu, { ...options, timing });
  const space = driver.openVaSpace();
  space.alloc(BASE, run.bytes);
  kernel.trace.on = true;
  const pages = Math.ceil(run.bytes / PAGE_SIZE);
  const machine: Machine = { kernel, driver, space, pages, kernels: 0 };
  kernel.sched.now = 20_000;
  const stepNs: number[] = [];
  let next = 0;
  for (const asked of run.asked) {
    if (asked.startsWith('sleep:')) {
      kernel.sched.now += Number(asked.slice(6)) * 1e6 + SLEEP_OVER;
      continue;
    }
    const step = run.steps[next++];
    if (step === undefined) break;
    kernel.sched.now += gapBefore(machine, step);
    const t0 = kernel.sched.now;
    runStep(machine, step);
    stepNs.push(kernel.sched.now - t0);
    if (step.op.startsWith('gpu')) machine.kernels++;
  }
  return { events: captureEvents(kernel.trace, BASE, run.bytes), stepNs, driver };
}

function gapBefore(machine: Machine, step: CaptureStep): number {
  if (step.op.startsWith('cpu')) return TOUCH_GAP;
  if (!step.op.startsWith('gpu')) return CALL_GAP;
  return machine.kernels === 0 ? FIRST_LAUNCH_GAP : LAUNCH_GAP;
}

function runStep(machine: Machine, step: CaptureStep): void {
  const { kernel } = machine;
  if (step.op === 'duel') {
    duel(machine.space, BASE, step.order);
    return;
  }
  kernel.sched.runSync(stepTask(machine, step));
}

/** The capture's atomics are those of the device's scope: they need no more than the right to write. */
const GPU_OPS: Readonly<Record<string, readonly [number, StreamShape]>> = {
  gpu_chain_read: [GPU_ACCESS_READ, 'serial'],
  gpu_chain_write: [GPU_ACCESS_WRITE, 'serial'],
  gpu_chain_atomic: [GPU_ACCESS_ATOMIC_WEAK, 'serial'],
  gpu_par_read: [GPU_ACCESS_READ, 'parallel'],
  gpu_par_write: [GPU_ACCESS_WRITE, 'parallel'],
  gpu_stream_read: [GPU_ACCESS_READ, 'stream'],
};

function stepTask(machine: Machine, step: CaptureStep): Task<unknown> {
  const { space, pages } = machine;
  const order = step.pages ?? pagesOfOrder(step.order, pages) ?? new Int32Array(0);
  const touched =
    step.count > 0 && step.pages?.length === 0 ? (pagesOfOrder(step.order, pages) ?? order) : order;
  const gpu = GPU_OPS[step.op];
  if (gpu !== undefined) {
    const all = gpu[1] === 'stream' ? (pagesOfOrder('seq', pages) ?? touched) : touched;
    return launchKernel(space, {
      access: gpu[0],
      shape: gpu[1],
      base: BASE,
      pages: all,
      offset: 0,
      width: 1,
      values: undefined,
    });
  }
  switch (step.op) {
    case 'cpu_write':
    case 'cpu_read':
      return uvmCpuAccess(space, {
        base: BASE,
        pages: touched,
        write: step.op === 'cpu_write',
        offset: 0,
        width: 1,
        values: undefined,
        atomic: false,
      });
    case 'prefetch_gpu':
      return uvmMigrate(space, BASE, pages, UVM_ID_GPU);
    case 'prefetch_cpu':
      return uvmMigrate(space, BASE, pages, UVM_ID_CPU);
    case 'preferred_gpu':
      return uvmSetPreferredLocation(space, BASE, pages, UVM_ID_GPU);
    case 'preferred_cpu':
      return uvmSetPreferredLocation(space, BASE, pages, UVM_ID_CPU);
    case 'accessed_by_gpu':
      return uvmSetAccessedBy(space, BASE, pages, UVM_ID_GPU);
    case 'accessed_by_cpu':
      return uvmSetAccessedBy(space, BASE, pages, UVM_ID_CPU);
    case 'read_mostly_gpu':
    case 'read_mostly_cpu':
      return uvmEnableReadDuplication(space, BASE, pages);
    default:
      throw new HmmError('CAPTURE', `no step is called ${step.op}`, { op: step.op });
  }
}
