import { EINVAL, type Task } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import { maskAnd, maskAndNot, maskCopy, maskEmpty, maskWeight, newMask } from './uvm-page-mask.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_API_HINT,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCausePolicy,
  type UvmOptionalId,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockMakeResident } from './uvm-va-block-make-resident.js';
import { uvmVaBlockMap, uvmVaBlockRevokeProt, uvmVaBlockUnmap } from './uvm-va-block-map.js';
import { policyAccessedBy } from './uvm-va-policy.js';
import type { UvmVaRange } from './uvm-va-range.js';
import type { UvmVaSpace } from './uvm-va-space.js';

const pages = newMask();

/**
 * Applies `change` to every range of an interval, under the VA space lock held for writing, and charges what it cost.
 * The interval splits the ranges at its ends. @returns 0, or -EINVAL where nothing is managed.
 */
function* changeRanges(
  space: UvmVaSpace,
  start: number,
  count: number,
  change: (range: UvmVaRange) => number,
): Task<number> {
  if (!space.lock.tryWriteFast()) yield* space.lock.write();
  const ranges = space.rangesSplit(start, count);
  const { driver } = space;
  let ns = driver.costs.adviseEmpty;
  let populated = false;
  for (const range of ranges) {
    for (const block of range.existingBlocks()) {
      beginBlock(driver, block);
      populated = true;
    }
    ns += change(range);
  }
  if (populated) ns += driver.costs.advisePopulated;
  yield* space.kernel.sched.delay(ns * driver.gpu.preset.serviceScale.value);
  space.lock.unlockWrite();
  return ranges.length === 0 ? -EINVAL : 0;
}

function beginBlock(driver: UvmDriver, block: UvmVaBlock): void {
  driver.cpuContext.begin(UVM_MAKE_RESIDENT_CAUSE_API_HINT, driver.kernel.sched.now);
  if (block.thrashing !== undefined && block.thrashing.pages === undefined) block.thrashing = undefined;
}

/**
 * Sets or unsets (-1) the preferred location. Data stays where it is until it is
 * touched; accessed-by mappings of the preferred processor to data elsewhere go.
 * @uvm uvm_policy.c uvm_api_set_preferred_location
 */
export function* uvmSetPreferredLocation(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmOptionalId,
): Task<number> {
  return yield* changeRanges(space, start, count, (range) => {
    range.policy.preferredLocation = id;
    if (id < 0) return 0;
    const at = id === UVM_ID_CPU ? UVM_ID_CPU : UVM_ID_GPU;
    for (const block of range.existingBlocks()) unmapElsewhere(space.driver, block, at);
    return 0;
  });
}

/** The preferred processor shall fault on data that is not with it, so that it comes. */
function unmapElsewhere(driver: UvmDriver, block: UvmVaBlock, id: UvmProcessorId): void {
  maskCopy(pages, block.masks(id).read);
  maskAndNot(pages, block.masks(id).resident);
  uvmVaBlockUnmap(block, id, pages);
}

/**
 * Puts a processor into the accessed-by set: it is mapped at once to what is populated and
 * can be reached, and after each migration.
 * @uvm uvm_policy.c uvm_api_set_accessed_by
 */
export function* uvmSetAccessedBy(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmProcessorId,
): Task<number> {
  const { driver } = space;
  return yield* changeRanges(space, start, count, (range) => {
    range.policy.accessedBy |= 1 << id;
    let ns = 0;
    for (const block of range.existingBlocks()) {
      mapAccessedBy(driver, block, id);
      if (driver.cpuContext.remoteRuns > 0) ns += driver.costs.adviseAccessedByBlock;
    }
    return ns;
  });
}

function mapAccessedBy(driver: UvmDriver, block: UvmVaBlock, id: UvmProcessorId): void {
  if (block.range.policy.preferredLocation === id) return;
  for (const residency of [UVM_ID_CPU, UVM_ID_GPU] as const) {
    if (!driver.canAccess(id, residency)) continue;
    maskCopy(pages, block.masks(residency).resident);
    maskAndNot(pages, block.readDuplicated);
    const prot = driver.nativeAtomics(id, residency) ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
    uvmVaBlockMap(driver, driver.cpuContext, block, id, residency, pages, prot, UvmEventMapRemoteCausePolicy);
  }
}

/** Takes a processor out of the accessed-by set; mappings stay until the next event. @uvm uvm_policy.c uvm_api_unset_accessed_by */
export function* uvmUnsetAccessedBy(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmProcessorId,
): Task<number> {
  return yield* changeRanges(space, start, count, (range) => {
    range.policy.accessedBy &= ~(1 << id);
    return 0;
  });
}

/**
 * Lets reads make copies: nothing moves, but who may write loses that, so that the
 * first write to each page faults.
 * @uvm uvm_policy.c uvm_api_enable_read_duplication
 */
export function* uvmEnableReadDuplication(space: UvmVaSpace, start: number, count: number): Task<number> {
  const { driver } = space;
  return yield* changeRanges(space, start, count, (range) => {
    range.policy.readDuplication = true;
    let ns = 0;
    for (const block of range.existingBlocks()) {
      maskCopy(pages, block.cpu.write);
      ns += driver.costs.adviseReadMostlyPage * maskWeight(pages);
      for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
        maskCopy(pages, block.masks(id).write);
        uvmVaBlockRevokeProt(driver, block, id, pages, UVM_PROT_READ_ONLY);
        dropRemote(driver, block, id);
      }
    }
    return ns;
  });
}

/** A mapping of data elsewhere would keep the reader from getting a copy. */
function dropRemote(driver: UvmDriver, block: UvmVaBlock, id: UvmProcessorId): void {
  maskCopy(pages, block.masks(id).read);
  maskAndNot(pages, block.masks(id).resident);
  if (!policyAccessedBy(block.range.policy, id)) uvmVaBlockUnmap(block, id, pages);
}

/** Ends read duplication: pages in two places keep one copy. @uvm uvm_policy.c uvm_api_disable_read_duplication */
export function* uvmDisableReadDuplication(space: UvmVaSpace, start: number, count: number): Task<number> {
  const { driver } = space;
  return yield* changeRanges(space, start, count, (range) => {
    range.policy.readDuplication = false;
    for (const block of range.existingBlocks()) collapse(driver, block);
    return 0;
  });
}

/** Copies collapse to the preferred location if that has them, else to the GPU. */
function collapse(driver: UvmDriver, block: UvmVaBlock): void {
  const ctx = driver.cpuContext;
  maskCopy(ctx.work3, block.readDuplicated);
  if (maskEmpty(ctx.work3)) return;
  const keep = block.range.policy.preferredLocation === UVM_ID_CPU ? UVM_ID_CPU : UVM_ID_GPU;
  maskAnd(ctx.work3, block.masks(keep).resident);
  uvmVaBlockMakeResident(driver, ctx, block, keep, ctx.work3);
}
