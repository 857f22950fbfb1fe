import type { UvmThrashingPages } from './uvm-perf-thrashing.js';
import type { UvmProcessorLinks } from './uvm-processor-links.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import {
  processorIn,
  UVM_ID_CPU,
  UVM_ID_INVALID,
  type UvmProcessorId,
  type UvmProcessorMask,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';

/** Bit of `UvmThrashingPages.kinds`: permissions of the page were revoked. */
export const HAS_REVOCATION = 2;

/** What {@link decide} says: nothing special, or wait. Otherwise the processor at which the page is pinned. */
export const LET_BE = -1;
export const THROTTLE = -2;

/** A processor to pin a page at, {@link LET_BE} or {@link THROTTLE}. */
export type UvmThrashingDecision = number;

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
 * @uvm uvm_perf_thrashing.c get_hint_for_migration_thrashing (without: GPUs without memory)
 */
export function decide(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
): UvmThrashingDecision {
  const { links } = ctx;
  const isFavoured = pages.favoured[page] === requester + 1;
  if (pages.pinnedAt[page] !== 0 && ((pages.kinds[page] ?? 0) & HAS_REVOCATION) !== 0 && !isFavoured)
    return THROTTLE;
  const processors = pages.processors[page] ?? 0;
  const preferred = block.range.policy.preferredLocation;
  if (preferred !== UVM_ID_INVALID && links.allCanAccess(processors, preferred)) return preferred;
  if (preferred === UVM_ID_INVALID || !processorIn(processors, preferred)) {
    const closest = block.closestResident(requester, page);
    const at = closest < 0 ? UVM_ID_CPU : closest;
    if (links.allHaveFastAccess(processors, at)) return shared(links, processors, requester, at);
  }
  const isEnough = (pages.throttlings[page] ?? 0) >= ctx.global.thrashing.pinThreshold;
  const pinnedAt = pages.pinnedAt[page] ?? 0;
  if (requester === preferred && pinnedAt !== 0)
    return isFavoured || pinnedAt === requester + 1 ? requester : THROTTLE;
  if (pinnedAt !== 0) return pinned(links, pinnedAt - 1, requester, isFavoured, processors);
  if (!isFavoured) return THROTTLE;
  return isEnough ? requester : LET_BE;
}

/** Processors that reach each other fast, atomics included, share the page where it is. */
function shared(
  links: UvmProcessorLinks,
  processors: UvmProcessorMask,
  requester: UvmProcessorId,
  at: UvmProcessorId,
): UvmThrashingDecision {
  if (at !== UVM_ID_CPU || !links.allCanAccess(processors, requester)) return at;
  return requester === UVM_ID_CPU ? LET_BE : requester;
}

/** A fault on a page that is pinned at `at`, by a requester that does not prefer to have it. */
function pinned(
  links: UvmProcessorLinks,
  at: UvmProcessorId,
  requester: UvmProcessorId,
  isFavoured: boolean,
  processors: UvmProcessorMask,
): UvmThrashingDecision {
  if (!isFavoured) return links.canAccess(requester, at) ? at : THROTTLE;
  if (links.allCanAccess(processors, requester)) return requester;
  const common = links.commonLocations(processors);
  return common === 0 ? requester : links.closest(common, requester);
}
