import { EINVAL, EOPNOTSUPP, type Task } from '@hmm/kernel';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFill,
  maskOr,
  maskWeight,
  maskZero,
  type UvmPageMask,
} from './uvm-page-mask.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_API_HINT,
  UvmEventMapRemoteCausePolicy,
} from './uvm-types.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockAddMappings } from './uvm-va-block-add-mappings.js';
import { uvmVaBlockMakeResident } from './uvm-va-block-make-resident.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** The first release that discards. */
export const UVM_RELEASE_DISCARD = 580;

/**
 * Says that the contents of `pages` pages from `start` are needed no more: they are not copied when they move or are evicted,
 * until a fault maps them for writing or a request moves them. What a page holds by then is undefined, but for what is written
 * after such a fault: in place it is what was there, zero where it moved. With `unmap` pages lose their mappings and their place
 * as well, so that the next write faults. System memory is taken and left as it is.
 * @returns 0; -EINVAL where a page is neither managed nor, with all others, system memory; -EOPNOTSUPP before
 * {@link UVM_RELEASE_DISCARD}.
 * @uvm uvm_policy.c uvm_api_discard (without: the test of the arguments' processors)
 */
export function* uvmDiscard(space: UvmVaSpace, start: number, pages: number, unmap: boolean): Task<number> {
  const { driver } = space;
  if (driver.global.release < UVM_RELEASE_DISCARD) return -EOPNOTSUPP;
  const end = start + pages;
  if (space.range(start) === undefined) return discardSystem(space, start, end);
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  if (managedUpTo(space, start, end) < end) {
    space.lock.unlockRead();
    return -EINVAL;
  }
  for (let at = start; at < end;) {
    const block = space.block(at);
    if (block === undefined) break;
    if (!block.lock.tryFast()) yield* block.lock.lock();
    const { context: ctx } = space;
    ctx.begin(UVM_MAKE_RESIDENT_CAUSE_API_HINT, driver.clock.time());
    const { region } = ctx.scratch;
    maskZero(region);
    maskFill(region, at - block.start, Math.min(block.pages, end - block.start));
    discardLocked(ctx, block, unmap);
    block.lock.unlock();
    at = block.start + block.pages;
  }
  yield* space.kernel.sched.delay(driver.work.discarded(space.id, pages));
  space.lock.unlockRead();
  return 0;
}

/** System memory keeps its contents. */
function discardSystem(space: UvmVaSpace, start: number, end: number): number {
  if (space.hmm === undefined) return -EINVAL;
  for (let vpn = start; vpn < end; vpn++) if (space.range(vpn) !== undefined) return -EINVAL;
  space.driver.log.push('nvidia-uvm: discard: system memory keeps its contents, nothing was done');
  return 0;
}

/** The first page from `start` on that is not managed, at most `end`. */
function managedUpTo(space: UvmVaSpace, start: number, end: number): number {
  let vpn = start;
  while (vpn < end) {
    const range = space.range(vpn);
    if (range === undefined) return vpn;
    vpn = range.end;
  }
  return end;
}

/**
 * Discards the pages in the scratch mask `region`.
 * @uvm uvm_va_block.c va_block_discard_locked (without: trackers of pushes)
 */
function discardLocked(ctx: UvmServiceBlockContext, block: UvmVaBlock, unmap: boolean): void {
  const { part, region } = ctx.scratch;
  leaveOut(ctx, block, unmap);
  if (maskEmpty(region)) return;
  maskOr(block.discarded, region);
  if (block.range.policy.readDuplication) collapse(ctx, block);
  if (unmap) {
    for (let id = 0; id < block.processorCount; id++) {
      maskCopy(part, region);
      maskAnd(part, block.masks(id).read);
      uvmVaBlockUnmap(ctx, block, id, part);
      maskAndNot(block.masks(id).resident, region);
    }
  }
  if (fullyDiscarded(block)) markDiscardedChunks(ctx, block);
}

/** The chunks of a block that is discarded as a whole go before others in the order of evictions. */
function markDiscardedChunks(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const empty = block.isUnpopulated;
  for (let id = UVM_ID_GPU; id < block.processorCount; id++) {
    const { base } = block.gpuState(id);
    if (base < 0) continue;
    const { pmm } = ctx.gpuOf(id);
    if (empty) pmm.markUnused(base);
    else pmm.markDiscarded(base);
  }
}

/** Pages discarded before are done, but for those that still have a mapping to lose. */
function leaveOut({ scratch }: UvmServiceBlockContext, block: UvmVaBlock, unmap: boolean): void {
  const { part, region } = scratch;
  maskCopy(part, block.discarded);
  if (unmap) {
    for (let id = 0; id < block.processorCount; id++) maskAndNot(part, block.masks(id).read);
  }
  maskAndNot(region, part);
}

/** Discarded copies collapse to one, at the preferred location if that is set. */
function collapse(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { part, region } = ctx.scratch;
  maskCopy(part, block.readDuplicated);
  maskAnd(part, region);
  if (maskEmpty(part)) return;
  const keep = Math.max(UVM_ID_CPU, block.range.policy.preferredLocation);
  uvmVaBlockMakeResident(ctx, block, keep, part);
  maskAndNot(part, block.masks(keep).read);
  uvmVaBlockAddMappings(ctx, block, keep, part, UvmEventMapRemoteCausePolicy);
}

/** Whether all pages of a whole block are discarded. */
function fullyDiscarded(block: UvmVaBlock): boolean {
  return block.whole && maskWeight(block.discarded) === block.pages;
}

/** Takes the pages of `written` out of the discarded ones. */
export function keepContents(block: UvmVaBlock, written: UvmPageMask): void {
  maskAndNot(block.discarded, written);
}
