import { EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import type { UvmCosts } from './uvm-costs.js';
import type { UvmDriver } from './uvm-driver.js';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFill,
  newMask,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { firstCopy } from './uvm-service-time.js';
import {
  otherProcessor,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCausePolicy,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockAddMappings, uvmVaBlockAddMappingsAfterMigration } from './uvm-va-block-add-mappings.js';
import { uvmVaBlockMakeResident, uvmVaBlockMakeResidentReadDuplicate } from './uvm-va-block-make-resident.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';
import { policyAccessedBy } from './uvm-va-policy.js';
import type { UvmVaSpace } from './uvm-va-space.js';

const region = newMask();
const part = newMask();
const unmapped = newMask();
const discarded = newMask();

/**
 * Moves `pages` pages from `start` to `destination` on request: a first pass
 * copies block by block, a second maps. Pages that were never touched are populated at the destination. Pages read
 * by policy in several places get a copy. The call returns when the last copy is done.
 * @returns 0; -EINVAL where a page is not managed; -ENOMEM.
 * @uvm uvm_migrate.c uvm_migrate
 */
export function* uvmMigrate(
  space: UvmVaSpace,
  start: number,
  pages: number,
  destination: UvmProcessorId,
): Task<number> {
  const { driver } = space;
  const { sched } = space.kernel;
  const blocks = blocksIn(space, start, pages);
  if (blocks === undefined) return -EINVAL;
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  const work = { pages, copied: 0, zeroed: 0, wholes: 0, shorts: 0, chunks: 0, evictions: 0 };
  let errno = 0;
  for (const block of blocks) {
    if (!block.lock.tryFast()) yield* block.lock.lock();
    if (!migrateBlock(driver, block, start, pages, destination)) errno = -ENOMEM;
    block.lock.unlock();
    work.copied += driver.cpuContext.copiedPages;
    work.zeroed += driver.cpuContext.zeroedPages;
    if (driver.cpuContext.zeroedPages > 0) work[block.whole ? 'wholes' : 'shorts']++;
    work.chunks += driver.cpuContext.zeroedChunks;
    work.evictions += driver.cpuContext.evictions;
  }
  for (const block of blocks) {
    if (!block.lock.tryFast()) yield* block.lock.lock();
    mapBlock(driver, block, start, pages, destination);
    block.lock.unlock();
  }
  const ns = migrateTime(driver, destination, work) + coldCall(space, destination, work);
  yield* sched.delay(ns * driver.gpu.preset.serviceScale.value);
  space.lock.unlockRead();
  return errno;
}

/** Up to so many pages a prefetch to the GPU is one short push; up to so many to the CPU one block. */
const FEW_UP = 128;
const FEW_DOWN = 512;

/** What a migration of `pages` pages did: copied some, zeroed some in whole and in shorter blocks; 2 MiB host chunks zeroed, chunks evicted. */
interface UvmMigrateWork {
  readonly pages: number;
  readonly copied: number;
  readonly zeroed: number;
  readonly wholes: number;
  readonly shorts: number;
  readonly chunks: number;
  readonly evictions: number;
}

/** ns that a call takes on top for being the first with something to do, or not right behind another. */
function coldCall(space: UvmVaSpace, destination: UvmProcessorId, work: UvmMigrateWork): number {
  const { driver } = space;
  const { costs } = driver;
  let ns = space.callWarm ? 0 : costs.prefetchCold;
  space.callWarm = true;
  if (work.copied + work.zeroed === 0) return ns;
  const warm = destination === UVM_ID_GPU && space.kernels > 0;
  if (space.prefetches++ === 0 && !warm) ns += costs.callFirst;
  return destination === UVM_ID_GPU ? ns + firstCopy(driver, space) : ns;
}

function migrateTime(driver: UvmDriver, destination: UvmProcessorId, work: UvmMigrateWork): number {
  const { costs } = driver;
  const evictions = work.evictions * costs.evict;
  const moved = work.copied + work.zeroed;
  if (destination === UVM_ID_GPU) {
    return moved === 0 ? costs.prefetchToGpuEmpty : evictions + toGpuTime(costs, work);
  }
  if (moved === 0) return costs.prefetchToCpuEmpty + costs.prefetchToCpuEmptyPage * work.pages;
  const page = moved <= FEW_DOWN ? costs.prefetchToCpuFewPage : costs.prefetchToCpuPage;
  return evictions + costs.prefetchToCpu + costs.cpuPopulateBlock * work.chunks + page * moved;
}

/** ns to copy and to zero on the GPU. */
function toGpuTime(costs: UvmCosts, { copied, wholes, shorts }: UvmMigrateWork): number {
  const zero = costs.prefetchZeroBlock * wholes + (shorts > 0 ? costs.prefetchZeroShort : 0);
  if (copied <= FEW_UP) return costs.prefetchToGpuFew + zero;
  return costs.prefetchToGpu + costs.prefetchToGpuPage * copied + zero;
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

/** The pages of `block` that lie in the interval, stored in `region`. */
function selectRegion(block: UvmVaBlock, start: number, pages: number): UvmPageMask {
  region.fill(0);
  maskFill(region, Math.max(0, start - block.start), Math.min(block.pages, start + pages - block.start));
  return region;
}

function migrateBlock(
  driver: UvmDriver,
  block: UvmVaBlock,
  start: number,
  pages: number,
  to: UvmProcessorId,
): boolean {
  const ctx = driver.cpuContext;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE, driver.kernel.sched.now);
  maskCopy(ctx.work3, selectRegion(block, start, pages));
  maskCopy(discarded, block.discarded);
  maskAnd(discarded, ctx.work3);
  const ok = block.range.policy.readDuplication
    ? duplicateBlock(driver, block, to)
    : uvmVaBlockMakeResident(driver, ctx, block, to, ctx.work3);
  if (ok) maskAndNot(block.discarded, discarded);
  return ok;
}

/** Copies the pages in `work3`; what is discarded of them moves, to the preferred location if that is set. */
function duplicateBlock(driver: UvmDriver, block: UvmVaBlock, to: UvmProcessorId): boolean {
  const ctx = driver.cpuContext;
  maskAndNot(ctx.work3, discarded);
  if (!uvmVaBlockMakeResidentReadDuplicate(driver, ctx, block, to, ctx.work3)) return false;
  if (maskEmpty(discarded)) return true;
  const { preferredLocation } = block.range.policy;
  const preferred = preferredLocation === UVM_ID_CPU ? UVM_ID_CPU : UVM_ID_GPU;
  return uvmVaBlockMakeResident(driver, ctx, block, preferredLocation < 0 ? to : preferred, discarded);
}

/**
 * The second pass: what is mapped nowhere gets mapped at the destination in full, and for those that keep a mapping by
 * advice; what is mapped elsewhere only, as far as that takes no right from anybody.
 * @uvm uvm_migrate.c block_migrate_add_mappings
 */
function mapBlock(
  driver: UvmDriver,
  block: UvmVaBlock,
  start: number,
  pages: number,
  to: UvmProcessorId,
): void {
  const ctx = driver.cpuContext;
  const cause = UvmEventMapRemoteCausePolicy;
  const prot = UVM_PROT_READ_WRITE_ATOMIC;
  selectRegion(block, start, pages);
  maskCopy(part, region);
  maskAnd(part, block.masks(to).resident);
  maskAndNot(part, block.cpu.read);
  maskAndNot(part, block.gpu.read);
  maskCopy(unmapped, part);
  uvmVaBlockMap(driver, ctx, block, to, to, unmapped, prot, cause);
  if (policyAccessedBy(block.range.policy, otherProcessor(to)))
    uvmVaBlockAddMappingsAfterMigration(driver, ctx, block, to, to, unmapped, prot, cause);
  maskAndNot(region, block.masks(to).read);
  uvmVaBlockAddMappings(driver, ctx, block, to, region, cause);
}
