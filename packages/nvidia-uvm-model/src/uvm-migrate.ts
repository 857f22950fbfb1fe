import { EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFill,
  maskOr,
  newMask,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { uvmPerfThrashingReset } from './uvm-perf-thrashing.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCausePolicy,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockMakeResident, uvmVaBlockMakeResidentReadDuplicate } from './uvm-va-block-make-resident.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';
import { policyAccessedBy } from './uvm-va-policy.js';
import type { UvmVaSpace } from './uvm-va-space.js';

const region = newMask();
const part = newMask();

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
  let moved = 0;
  let evictions = 0;
  let errno = 0;
  for (const block of blocks) {
    if (!block.lock.tryFast()) yield* block.lock.lock();
    if (!migrateBlock(driver, block, start, pages, destination)) errno = -ENOMEM;
    block.lock.unlock();
    moved += driver.cpuContext.copiedPages + driver.cpuContext.zeroedPages;
    evictions += driver.cpuContext.evictions;
  }
  for (const block of blocks) {
    if (!block.lock.tryFast()) yield* block.lock.lock();
    mapBlock(driver, block, start, pages, destination);
    block.lock.unlock();
  }
  const ns = migrateTime(driver, destination, moved) + evictions * driver.costs.evict;
  yield* sched.delay(ns * driver.gpu.preset.serviceScale.value);
  space.lock.unlockRead();
  return errno;
}

/** Up to so many pages a prefetch to the GPU is one short push; up to so many to the CPU one block. */
const FEW_UP = 128;
const FEW_DOWN = 512;

function migrateTime(driver: UvmDriver, destination: UvmProcessorId, moved: number): number {
  const { costs } = driver;
  if (destination === UVM_ID_GPU) {
    return moved <= FEW_UP ? costs.prefetchToGpuFew : costs.prefetchToGpu + costs.prefetchToGpuPage * moved;
  }
  if (moved === 0) return costs.prefetchToCpuEmpty;
  return (
    costs.prefetchToCpu + moved * (moved <= FEW_DOWN ? costs.prefetchToCpuFewPage : costs.prefetchToCpuPage)
  );
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
  uvmPerfThrashingReset(driver, block, 0, block.pages, ctx.migrationTime);
  if (block.range.policy.readDuplication)
    return uvmVaBlockMakeResidentReadDuplicate(driver, ctx, block, to, ctx.work3);
  return uvmVaBlockMakeResident(driver, ctx, block, to, ctx.work3);
}

/**
 * The second pass: what is at the destination and not mapped there gets mapped, and the accessed-by mappings are
 * renewed.
 */
function mapBlock(
  driver: UvmDriver,
  block: UvmVaBlock,
  start: number,
  pages: number,
  to: UvmProcessorId,
): void {
  const ctx = driver.cpuContext;
  const { policy } = block.range;
  selectRegion(block, start, pages);
  maskAnd(region, block.masks(to).resident);
  maskCopy(part, region);
  maskAnd(part, block.readDuplicated);
  const cause = UvmEventMapRemoteCausePolicy;
  uvmVaBlockMap(driver, ctx, block, to, to, part, UVM_PROT_READ_ONLY, cause);
  maskAndNot(region, block.readDuplicated);
  const prot = policy.readDuplication ? UVM_PROT_READ_ONLY : UVM_PROT_READ_WRITE_ATOMIC;
  maskCopy(part, region);
  maskAndNot(part, block.masks(to).read);
  uvmVaBlockMap(driver, ctx, block, to, to, part, prot, cause);
  const other = to === UVM_ID_CPU ? UVM_ID_GPU : UVM_ID_CPU;
  if (policyAccessedBy(policy, other) && policy.preferredLocation !== other && driver.canAccess(other, to)) {
    const most = driver.nativeAtomics(other, to) ? prot : Math.min(prot, UVM_PROT_READ_WRITE);
    uvmVaBlockMap(driver, ctx, block, other, to, region, most, cause);
  }
}

/** All pages of a block that are resident anywhere, stored in `to`. */
export function residentAnywhere(block: UvmVaBlock, to: UvmPageMask): void {
  maskCopy(to, block.cpu.resident);
  maskOr(to, block.gpu.resident);
}

/** Whether nothing of the block was ever populated. */
export function neverPopulated(block: UvmVaBlock): boolean {
  return maskEmpty(block.cpu.resident) && maskEmpty(block.gpu.resident);
}
