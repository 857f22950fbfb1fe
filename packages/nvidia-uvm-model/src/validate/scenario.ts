import { findGpuTopology, gpuPreset, type GpuTopology, makeGpus } from '@hmm/gpu';
import { Kernel, PAGE_SIZE } from '@hmm/kernel';
import { UvmTiming } from '../timing/uvm-timing.js';
import type { UvmFigures } from '../timing/uvm-figures.js';
import { figuresOfGpu } from '../timing/uvm-h200-figures.js';
import { UvmDriver } from '../uvm-driver.js';
import type { UvmModuleParams } from '../uvm-module-params.js';
import type { UvmPerfPolicy } from '../uvm-perf-policy.js';
import type { UvmVaSpace } from '../uvm-va-space.js';
import type { UvmTimingPorts } from '../uvm-work.js';
import type { CaptureEvent, CaptureRun, CaptureStep } from './capture.js';
import { duel } from './duel.js';
import { captureEvents } from './events.js';
import { gpuOfMachine } from './recorded-gpu.js';
import { gpuOfStep, stepTask } from './steps.js';

/** Where the allocation lies: a page number of a real `mmap` area, 2 MiB aligned. */
const BASE = 0x7f0000000;

/** How a scenario is run. */
export interface ScenarioOptions {
  /** The preset or machine that it runs on; what the recording's head names when left out, else the H100. */
  readonly gpu?: string;
  readonly params?: UvmModuleParams;
  readonly policy?: UvmPerfPolicy;
  /** What the driver's work costs; the figures of the GPU's preset when left out. */
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
  const topology = topologyOf(run, options.gpu ?? gpuOfMachine(run.machine) ?? 'h100');
  const cards = makeGpus(kernel, topology, { maxTables: 4096, seed: options.seed ?? 2 });
  const preset = gpuPreset(topology.preset);
  const figures = options.figures ?? figuresOfGpu(preset.name);
  const made = new UvmTiming(kernel.sched, preset.serviceScale.value, figures);
  const timing = options.timing?.(made) ?? made;
  const driver = new UvmDriver(kernel, cards, { ...options, timing });
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

/** The machine of a run: that called `gpu`, or one GPU of the model of that name; several linked ones where a step names a second GPU. */
function topologyOf({ steps }: CaptureRun, gpu: string): GpuTopology {
  const known = findGpuTopology(gpu);
  if (known !== undefined) return known;
  const numbers = steps.map(({ op }) => gpuOfStep(op).number);
  const linked = findGpuTopology('2xh200-nvlink');
  if (linked !== undefined && Math.max(...numbers, 0) > 0) return linked;
  return { name: gpu, title: gpu, preset: gpu, gpus: 1, link: undefined };
}

function gapBefore(machine: Machine, step: CaptureStep): number {
  if (step.op.startsWith('cpu')) return TOUCH_GAP;
  if (!step.op.startsWith('gpu')) return CALL_GAP;
  return machine.kernels === 0 ? FIRST_LAUNCH_GAP : LAUNCH_GAP;
}

function runStep(machine: Machine, step: CaptureStep): void {
  const { kernel, space, pages } = machine;
  if (step.op === 'duel') duel(space, BASE, step.order);
  else kernel.sched.runSync(stepTask({ space, base: BASE, pages }, step));
}
