import { EINVAL, type Task } from '@hmm/kernel';
import { maskAnd, maskAndNot, maskCopy, maskEmpty, maskWeight } from './uvm-page-mask.js';
import {
  UVM_ID_CPU,
  UVM_MAKE_RESIDENT_CAUSE_API_HINT,
  type UvmOptionalId,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { addAccessedByMappings, uvmVaBlockSetAccessedBy } from './uvm-va-block-add-mappings.js';
import { uvmVaBlockMakeResident, uvmVaBlockMakeResidentReadDuplicate } from './uvm-va-block-make-resident.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';
import { policyAccessedBy, type UvmVaPolicy } from './uvm-va-policy.js';
import type { UvmVaRange } from './uvm-va-range.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import type { UvmAdvised, UvmAdviceKind } from './uvm-work.js';

/** An advice while it is given: what it did so far. */
type Advising = { -readonly [Key in keyof UvmAdvised]: UvmAdvised[Key] };

/** One advice, and what it does to ranges that `differs` accepts, or to all that it covers. */
interface UvmAdvice {
  readonly kind: UvmAdviceKind;
  readonly differs: (policy: UvmVaPolicy) => boolean;
  readonly always: boolean;
  readonly change: (range: UvmVaRange, done: Advising) => void;
}

/**
 * Applies an advice to the ranges of an interval, under the VA space lock held for writing. The
 * interval splits the ranges at its ends where their policies differ.
 * @returns 0, or -EINVAL where nothing is managed.
 */
function* changeRanges(space: UvmVaSpace, start: number, count: number, advice: UvmAdvice): Task<number> {
  if (!space.lock.tryWriteFast()) yield* space.lock.write();
  const cuts = space.splitAsNeeded(start, count, advice.differs);
  const done: Advising = {
    space: space.id,
    kind: advice.kind,
    cut: cuts.length,
    cutPages: cuts.reduce((sum, pages) => sum + pages, 0),
    looked: 0,
    mapped: 0,
    protected: 0,
  };
  let found = false;
  for (const range of space.all()) {
    if (range.end <= start || range.start >= start + count) continue;
    found = true;
    if (advice.always || advice.differs(range.policy)) advice.change(range, done);
  }
  yield* space.kernel.sched.delay(space.driver.work.advised(done));
  space.lock.unlockWrite();
  return found ? 0 : -EINVAL;
}

/** Calls `change` for each block of the range, with the context that a hint works in. */
function forBlocks(
  range: UvmVaRange,
  change: (ctx: UvmServiceBlockContext, block: UvmVaBlock) => void,
): void {
  const { context: ctx, driver } = range.space;
  for (const block of range.existingBlocks()) {
    ctx.begin(UVM_MAKE_RESIDENT_CAUSE_API_HINT, driver.clock.time());
    change(ctx, block);
  }
}

/**
 * Sets or unsets (-1) the preferred location. Data stays where it is until it is touched. A preferred location that was
 * in the accessed-by set before is mapped again to what it can reach; the new one loses its mappings of data elsewhere.
 * @uvm uvm_policy.c uvm_api_set_preferred_location (without: NUMA nodes)
 */
export function* uvmSetPreferredLocation(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmOptionalId,
): Task<number> {
  return yield* changeRanges(space, start, count, {
    kind: 'preferred_location',
    differs: (policy) => policy.preferredLocation !== id,
    always: false,
    change: (range, done) => {
      preferRange(range, id, done);
    },
  });
}

/** Counts the pages that lose or get mappings, or that the CPU has. */
function preferRange(range: UvmVaRange, id: UvmOptionalId, done: Advising): void {
  const { policy } = range;
  const before = policy.preferredLocation;
  policy.preferredLocation = id;
  forBlocks(range, (ctx, block) => {
    if (before >= 0) {
      if (policyAccessedBy(policy, before)) uvmVaBlockSetAccessedBy(ctx, block, before);
    }
    done.looked += ctx.done.mappedPages;
    if (id >= 0) done.looked += unmapElsewhere(ctx, block, id);
    if (id > UVM_ID_CPU) done.looked += maskWeight(block.cpu.resident);
  });
}

/** The preferred processor shall fault on data that is not with it, so that it comes. Copies are with it anyway. Returns the pages unmapped. */
function unmapElsewhere(ctx: UvmServiceBlockContext, block: UvmVaBlock, id: UvmProcessorId): number {
  if (block.range.policy.readDuplication) return 0;
  const { part } = ctx.scratch;
  maskCopy(part, block.masks(id).read);
  maskAndNot(part, block.masks(id).resident);
  uvmVaBlockUnmap(ctx, block, id, part);
  return maskWeight(part);
}

/**
 * Puts a processor into the accessed-by set: it is mapped at once to what is populated and
 * can be reached, and after each migration.
 * @uvm uvm_policy.c uvm_api_set_accessed_by (without: external ranges)
 */
export function* uvmSetAccessedBy(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmProcessorId,
): Task<number> {
  return yield* changeRanges(space, start, count, {
    kind: 'accessed_by',
    differs: (policy) => !policyAccessedBy(policy, id),
    always: true,
    change: (range, done) => {
      range.policy.accessedBy |= 1 << id;
      forBlocks(range, (ctx, block) => {
        uvmVaBlockSetAccessedBy(ctx, block, id);
        countAccessedBy(done, block, id);
      });
    },
  });
}

/** Counts the pages of a block whose rights were looked up, there already or not. */
function countAccessedBy(done: Advising, block: UvmVaBlock, id: UvmProcessorId): void {
  if (block.range.policy.readDuplication) return;
  if (id === UVM_ID_CPU) done.looked += maskWeight(block.cpu.resident);
  else for (let at = 0; at < block.processorCount; at++) done.mapped += maskWeight(block.masks(at).resident);
}

/**
 * Takes a processor out of the accessed-by set; mappings stay until the next event.
 * @uvm uvm_policy.c uvm_api_unset_accessed_by (all)
 */
export function* uvmUnsetAccessedBy(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmProcessorId,
): Task<number> {
  return yield* changeRanges(space, start, count, {
    kind: 'accessed_by',
    differs: (policy) => policyAccessedBy(policy, id),
    always: false,
    change: (range) => {
      range.policy.accessedBy &= ~(1 << id);
    },
  });
}

/**
 * Lets reads make copies: nothing moves, but who may write loses that, so that the first write to each page faults, and
 * mappings of data elsewhere go.
 * @uvm uvm_policy.c uvm_api_enable_read_duplication (without: system-wide atomics of other GPUs)
 */
export function* uvmEnableReadDuplication(space: UvmVaSpace, start: number, count: number): Task<number> {
  return yield* changeRanges(space, start, count, {
    kind: 'read_duplication',
    differs: (policy) => !policy.readDuplication,
    always: false,
    change: (range, done) => {
      forBlocks(range, (ctx, block) => {
        done.protected += maskWeight(block.cpu.write);
        for (let id = 0; id < block.processorCount; id++) {
          maskCopy(ctx.scratch.part, block.masks(id).resident);
          uvmVaBlockMakeResidentReadDuplicate(ctx, block, id, ctx.scratch.part);
        }
      });
      range.policy.readDuplication = true;
    },
  });
}

/**
 * Ends read duplication: pages in two places keep one copy.
 * @uvm uvm_policy.c uvm_api_disable_read_duplication (without: system-wide atomics of other GPUs)
 */
export function* uvmDisableReadDuplication(space: UvmVaSpace, start: number, count: number): Task<number> {
  return yield* changeRanges(space, start, count, {
    kind: 'read_duplication',
    differs: (policy) => policy.readDuplication,
    always: false,
    change: (range) => {
      forBlocks(range, (ctx, block) => {
        collapse(ctx, block);
        for (let id = 0; id < block.processorCount; id++) {
          if (policyAccessedBy(range.policy, id)) addAccessedByMappings(ctx, block, id);
        }
      });
      range.policy.readDuplication = false;
    },
  });
}

/** Copies collapse to the preferred location if that has them, else to the first processor that has, the CPU. */
function collapse(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { preferredLocation } = block.range.policy;
  if (preferredLocation >= 0) keepCopies(ctx, block, preferredLocation);
  for (let id = 0; id < block.processorCount; id++) if (id !== preferredLocation) keepCopies(ctx, block, id);
}

/** Of the pages with several copies, those that processor `id` has stay there alone. */
function keepCopies(ctx: UvmServiceBlockContext, block: UvmVaBlock, id: UvmProcessorId): void {
  const { part } = ctx.scratch;
  maskCopy(part, block.readDuplicated);
  maskAnd(part, block.masks(id).resident);
  if (!maskEmpty(part)) uvmVaBlockMakeResident(ctx, block, id, part);
}
