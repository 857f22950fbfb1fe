import { EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFill,
  maskZero,
  type UvmPageMask,
} from './uvm-page-mask.js';
import {
  UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCausePolicy,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockAddMappings, uvmVaBlockAddMappingsAfterMigration } from './uvm-va-block-add-mappings.js';
import { uvmVaBlockMakeResident, uvmVaBlockMakeResidentReadDuplicate } from './uvm-va-block-make-resident.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/**
 * Moves `pages` pages from `start` to `destination` on request: a first pass
 * copies block by block, a second maps. Pages that were never touched are populated at the destination. Pages read
 * by policy in several places get a copy. The call returns when the last copy is done.
 * @returns 0; -EINVAL where a page is not managed; -ENOMEM.
 * @uvm uvm_migrate.c uvm_migrate (without: trackers of pushes, skipped mappings)
 */
export function* uvmMigrate(
  space: UvmVaSpace,
  start: number,
  pages: number,
  destination: UvmProcessorId,
): Task<number> {
  const { context: ctx, driver } = space;
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  const blocks = blocksIn(space, start, pages);
  if (blocks === undefined) {
    space.lock.unlockRead();
    return -EINVAL;
  }
  const call = { space: space.id, to: destination, pages, copied: 0, zeroed: 0, chunks: 0 };
  let errno = 0;
  for (const block of blocks) {
    if (!block.lock.tryFast()) yield* block.lock.lock();
    ctx.begin(UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE, driver.clock.time());
    if (!migrateBlock(ctx, block, start, pages, destination)) errno = -ENOMEM;
    block.lock.unlock();
    call.copied += ctx.done.copiedPages;
    call.zeroed += ctx.done.zeroedPages;
    call.chunks += ctx.done.zeroedChunks;
  }
  for (const block of blocks) {
    if (!block.lock.tryFast()) yield* block.lock.lock();
    mapBlock(ctx, block, start, pages, destination);
    block.lock.unlock();
  }
  yield* space.kernel.sched.delay(driver.work.migrated(call));
  space.lock.unlockRead();
  return errno;
}

function blocksIn(space: UvmVaSpace, start: number, pages: number): UvmVaBlock[] | undefined {
  const blocks: UvmVaBlock[] = [];
  for (let vpn = start; vpn < start + pages;) {
    const block = space.block(vpn);
    if (block === undefined) return undefined;
    blocks.push(block);
    vpn = block.start + block.pages;
  }
  return blocks;
}

/** The pages of `block` that lie in the interval, stored in the scratch mask `region`. */
function selectRegion(
  { scratch }: UvmServiceBlockContext,
  block: UvmVaBlock,
  start: number,
  pages: number,
): UvmPageMask {
  const { region } = scratch;
  maskZero(region);
  maskFill(region, Math.max(0, start - block.start), Math.min(block.pages, start + pages - block.start));
  return region;
}

function migrateBlock(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  start: number,
  pages: number,
  to: UvmProcessorId,
): boolean {
  const { discarded } = ctx.scratch;
  const region = selectRegion(ctx, block, start, pages);
  maskCopy(discarded, block.discarded);
  maskAnd(discarded, region);
  const ok = block.range.policy.readDuplication
    ? duplicateBlock(ctx, block, to)
    : uvmVaBlockMakeResident(ctx, block, to, region);
  if (ok) maskAndNot(block.discarded, discarded);
  return ok;
}

/** Copies the pages of the region; what is discarded of them moves, to the preferred location if that is set. */
function duplicateBlock(ctx: UvmServiceBlockContext, block: UvmVaBlock, to: UvmProcessorId): boolean {
  const { discarded, region } = ctx.scratch;
  maskAndNot(region, discarded);
  if (!uvmVaBlockMakeResidentReadDuplicate(ctx, block, to, region)) return false;
  if (maskEmpty(discarded)) return true;
  const { preferredLocation } = block.range.policy;
  return uvmVaBlockMakeResident(ctx, block, preferredLocation < 0 ? to : preferredLocation, discarded);
}

/**
 * The second pass: what is mapped nowhere gets mapped at the destination in full, and for those that keep a mapping by
 * advice; what is mapped elsewhere only, as far as that takes no right from anybody.
 * @uvm uvm_migrate.c block_migrate_add_mappings (without: integrated GPUs)
 */
function mapBlock(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  start: number,
  pages: number,
  to: UvmProcessorId,
): void {
  const { part } = ctx.scratch;
  const cause = UvmEventMapRemoteCausePolicy;
  const prot = UVM_PROT_READ_WRITE_ATOMIC;
  const region = selectRegion(ctx, block, start, pages);
  maskCopy(part, region);
  maskAnd(part, block.masks(to).resident);
  for (let id = 0; id < block.processorCount; id++) maskAndNot(part, block.masks(id).read);
  uvmVaBlockMap(ctx, block, to, part, prot, cause);
  uvmVaBlockAddMappingsAfterMigration(ctx, block, part, { id: to, residency: to, prot, thrashing: 0 });
  maskAndNot(region, block.masks(to).read);
  uvmVaBlockAddMappings(ctx, block, to, region, cause);
}
