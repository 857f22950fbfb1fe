import type { UvmParentGpu } from './uvm-gpu.js';
import type { UvmThrashingPages } from './uvm-perf-thrashing.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { UVM_ID_CPU, UVM_ID_GPU, UVM_ID_INVALID, type UvmProcessorId } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';

/** Bit of `UvmThrashingPages.kinds`: permissions of the page were revoked. */
export const HAS_REVOCATION = 2;

/** What {@link decide} says: nothing special, or wait. Otherwise the processor at which the page is pinned. */
export const LET_BE = -1;
export const THROTTLE = -2;

/** A processor to pin a page at, {@link LET_BE} or {@link THROTTLE}. */
export type UvmThrashingDecision = UvmProcessorId | typeof LET_BE | typeof THROTTLE;

/** Opens a period or favours a requester; nobody is favoured in two periods running. */
export function updateThrottling(
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
  now: number,
  nap: number,
): void {
  if (now > (pages.throttleEnd[page] ?? 0)) {
    pages.favoured[page] = pages.favoured[page] === requester + 1 ? 0 : requester + 1;
    pages.throttleEnd[page] = now + nap;
  } else if (pages.favoured[page] === 0) pages.favoured[page] = requester + 1;
}

/**
 * What to do with a fault of `requester` on a thrashing page.
 * @uvm uvm_perf_thrashing.c get_hint_for_migration_thrashing (without: a choice among several GPUs)
 */
export function decide(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
): UvmThrashingDecision {
  const { gpu } = ctx;
  const isFavoured = pages.favoured[page] === requester + 1;
  if (pages.pinnedAt[page] !== 0 && ((pages.kinds[page] ?? 0) & HAS_REVOCATION) !== 0 && !isFavoured)
    return THROTTLE;
  const processors = pages.processors[page] ?? 0;
  const preferred = block.range.policy.preferredLocation;
  if (preferred !== UVM_ID_INVALID && allCanAccess(gpu, processors, preferred)) return preferred;
  if (preferred === UVM_ID_INVALID || ((processors >>> preferred) & 1) === 0) {
    const closest = block.closestResident(requester, page);
    const at = closest === UVM_ID_GPU ? UVM_ID_GPU : UVM_ID_CPU;
    if (allHaveNativeAtomics(gpu, processors, at)) return shared(gpu, processors, requester, at);
  }
  const isEnough = (pages.throttlings[page] ?? 0) >= ctx.global.thrashing.pinThreshold;
  const pinnedAt = pages.pinnedAt[page] ?? 0;
  if (requester === preferred && pinnedAt !== 0)
    return isFavoured || pinnedAt === requester + 1 ? requester : THROTTLE;
  if (pinnedAt !== 0) return pinned(gpu, pinnedAt - 1, requester, isFavoured, processors);
  if (!isFavoured) return THROTTLE;
  return isEnough ? requester : LET_BE;
}

/** Processors that reach each other fast, atomics included, share the page where it is. */
function shared(
  gpu: UvmParentGpu,
  processors: number,
  requester: UvmProcessorId,
  at: UvmProcessorId,
): UvmThrashingDecision {
  if (at !== UVM_ID_CPU || !allCanAccess(gpu, processors, requester)) return at;
  return requester === UVM_ID_CPU ? LET_BE : requester;
}

/** A fault on a page that is pinned at `at`, by a requester that does not prefer to have it. */
function pinned(
  gpu: UvmParentGpu,
  at: number,
  requester: UvmProcessorId,
  isFavoured: boolean,
  processors: number,
): UvmThrashingDecision {
  const place = at === UVM_ID_GPU ? UVM_ID_GPU : UVM_ID_CPU;
  if (!isFavoured) return gpu.canAccess(requester, place) ? place : THROTTLE;
  if (allCanAccess(gpu, processors, requester)) return requester;
  return allCanAccess(gpu, processors, UVM_ID_CPU) ? UVM_ID_CPU : requester;
}

function allHaveNativeAtomics(gpu: UvmParentGpu, processors: number, at: UvmProcessorId): boolean {
  for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
    if (((processors >>> id) & 1) !== 0 && !gpu.nativeAtomics(id, at)) return false;
  }
  return true;
}

function allCanAccess(gpu: UvmParentGpu, processors: number, residency: UvmProcessorId): boolean {
  for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
    if (((processors >>> id) & 1) !== 0 && !gpu.canAccess(id, residency)) return false;
  }
  return true;
}
