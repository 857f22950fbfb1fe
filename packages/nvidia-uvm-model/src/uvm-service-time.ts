import type { UvmCosts, UvmCpuWarmth } from './uvm-costs.js';
import type { UvmDriver } from './uvm-driver.js';
import type { UvmFaultBatch } from './uvm-fault-batch.js';
import { maskWeight, PAGES_PER_BLOCK } from './uvm-page-mask.js';
import type { UvmHmmMoved } from './uvm-hmm-migrate.js';
import type { UvmServiceContext } from './uvm-service-context.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** ns of everything that is warm: `amount` that falls by e every four faults. */
function warmUp(amount: number, faults: number): number {
  return amount * Math.exp(-faults / 4);
}

/** `amount` in the second kernel, falling by e every three kernels. */
function kernelWarmUp(amount: number, kernels: number): number {
  return amount * Math.exp((2 - kernels) / 3);
}

/** ns for the copies of a service beside the fixed part: pages, and each run after the first. */
function copies(base: number, page: number, run: number, ctx: UvmServiceContext): number {
  return ctx.transfers === 0 ? 0 : base + page * ctx.copiedPages + run * (ctx.transfers - 1);
}

function evictions(driver: UvmDriver, ctx: UvmServiceContext): number {
  return ctx.evictions === 0 ? 0 : ctx.evictions * driver.costs.evict + ctx.copyNs;
}

/** ns that the process's first copy to the GPU takes on top; 0 for later ones. */
export function firstCopy(driver: UvmDriver, space: UvmVaSpace): number {
  if (space.copiedToGpu) return 0;
  space.copiedToGpu = true;
  return driver.costs.gpuCopyFirst;
}

function scaled(driver: UvmDriver, ns: number): number {
  return ns * driver.gpu.preset.serviceScale.value;
}

/** What is left of the first refusal's coldness after so many in a row. */
function refusalColdness(refusals: number): number {
  return Math.exp(-refusals / 5);
}

/** The time from the interrupt that begins a service call to its taking the block's lock, ns; 0 where the call goes on. */
export function interruptTime(driver: UvmDriver): number {
  const { costs, replayable: state } = driver;
  if (!state.interrupted) return 0;
  const refused =
    costs.gpuRefusedInterrupt +
    (costs.gpuInterrupt - costs.gpuRefusedInterrupt) * refusalColdness(state.refusals);
  return scaled(driver, state.refusals > 0 ? refused : costs.gpuInterrupt);
}

/** The time of a batch of one fault, from the start of service, or from the end of {@link interruptTime}, to the replay, ns. */
export function serialServiceTime(
  driver: UvmDriver,
  space: UvmVaSpace,
  block: UvmVaBlock,
  batch: UvmFaultBatch,
): number {
  const { costs, faultContext: ctx, replayable: state } = driver;
  if (batch.throttled > 0) return scaled(driver, costs.gpuRefused);
  if (state.refusals > 0) return scaled(driver, costs.gpuResume);
  const k = space.gpuFaults - 1;
  let ns = costs.gpuService + (k === 0 ? costs.gpuServiceFirst : warmUp(costs.gpuServiceWarm, k));
  if (state.firstOfKernel && k > 0) ns += kernelWarmUp(costs.gpuKernelWarm, space.kernels);
  if (!block.gpuSeen) ns += costs.gpuNewBlock;
  if (ctx.revokedGpu) ns += costs.gpuRevoke;
  ns += costs.gpuHintPage * maskWeight(ctx.prefetch);
  ns += costs.gpuZeroPage * ctx.zeroedPages;
  ns += copies(costs.gpuCopy, costs.gpuCopyPage, costs.gpuCopyRun, ctx);
  if (ctx.copiedPages > 0) ns += firstCopy(driver, space);
  state.firstOfKernel = false;
  return Math.max(scaled(driver, ns + evictions(driver, ctx)), copiesEnd(driver, ctx));
}

/** ns from now to the end of the service's copies, which its replay waits for. */
function copiesEnd(driver: UvmDriver, ctx: UvmServiceContext): number {
  return ctx.transfers === 0 ? 0 : ctx.migrationTime + ctx.copyNs - driver.kernel.sched.now;
}

/** The part of a refusal's {@link serialServiceTime} that comes when the block's lock has been dropped, ns. */
export function refusedAfter(driver: UvmDriver): number {
  return scaled(driver, driver.costs.gpuRefusedAfter);
}

/** The time of a service of system memory, ns: as for managed memory, page by page instead of run by run. */
export function hmmServiceTime(
  driver: UvmDriver,
  space: UvmVaSpace,
  batch: UvmFaultBatch,
  moved: UvmHmmMoved,
): number {
  const { costs, replayable: state } = driver;
  const first = batch.cached === 1 && space.gpuFaults === 1 ? costs.gpuServiceFirst : 0;
  const copied = moved.pages - moved.zeroed;
  const copies = copied === 0 ? 0 : costs.gpuCopy + costs.gpuCopyPage * copied + moved.copyNs;
  const base = costs.gpuService + (state.interrupted ? costs.gpuInterrupt : 0);
  state.firstOfKernel = false;
  return scaled(driver, base + first + copies + costs.gpuZeroPage * moved.zeroed);
}

/** The time of one block's service inside a batch of many entries, ns. */
export function blockServiceTime(driver: UvmDriver): number {
  const { costs, faultContext: ctx } = driver;
  const copies = costs.parallelTransfer * ctx.transfers + costs.parallelPage * ctx.copiedPages;
  const ns = warmth(driver) * (parallelServiceBase(costs, ctx) + copies);
  return scaled(driver, ns + evictions(driver, ctx));
}

function parallelServiceBase(costs: UvmCosts, ctx: UvmServiceContext): number {
  if (ctx.transfers > 0) return costs.parallelService;
  return ctx.zeroedPages > 0 ? costs.parallelServiceEmpty : costs.parallelServiceStale;
}

/** The time of a batch of many entries beside its services, ns. */
export function batchTime(driver: UvmDriver, batch: UvmFaultBatch): number {
  const { costs, replayable: state } = driver;
  const first = state.firstOfKernel ? costs.parallelKernel : 0;
  state.firstOfKernel = false;
  return scaled(driver, first + warmth(driver) * (costs.parallelBatch + costs.parallelEntry * batch.cached));
}

/** The driver gets faster over hundreds of batches of many entries. */
function warmth(driver: UvmDriver): number {
  const { parallelWarmShare, parallelWarmBatches } = driver.costs;
  return 1 - parallelWarmShare * (1 - Math.exp(-driver.replayable.batchId / parallelWarmBatches));
}

/** The time of one CPU fault until the next access, ns. */
export function cpuFaultTime(
  driver: UvmDriver,
  space: UvmVaSpace,
  block: UvmVaBlock,
  cold: UvmCpuWarmth,
): number {
  const { costs, cpuContext: ctx } = driver;
  const k = space.cpuFaults - 1;
  let ns = costs.cpuFault + (k === 0 ? costs.cpuFaultFirst : warmUp(costs.cpuFaultWarm, k));
  if (cold !== 'warm' && k > 0)
    ns += space.cpuColdSteps++ === 0 ? costs.cpuFaultColdFirst : costs.cpuFaultCold;
  if (cold !== 'warm' && k > 0)
    ns += costs.cpuFaultPaused * (1 - Math.exp(-space.pause / costs.cpuPauseAfter));
  ns += costs.cpuPopulateBlock * ctx.zeroedChunks;
  if (ctx.zeroedPages > 0 && block.pages < PAGES_PER_BLOCK) {
    ns += costs.cpuPopulateShort + costs.cpuPopulateShortPage * ctx.zeroedPages;
  }
  ns += costs.cpuFirstTouchPage * ctx.zeroedPages;
  ns += copies(costs.cpuCopy, costs.cpuCopyPage, costs.cpuCopyRun, ctx);
  if (ctx.collapsed) ns += costs.cpuCollapse;
  if (ctx.remoteRuns > 0) ns += costs.cpuAccessedBy;
  return scaled(driver, ns);
}
