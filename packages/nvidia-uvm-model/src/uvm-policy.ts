import { EINVAL, type Task } from '@hmm/kernel';
import {
  adviceTime,
  UVM_ADVICE_ACCESSED_BY,
  UVM_ADVICE_PREFERRED_LOCATION,
  UVM_ADVICE_READ_DUPLICATION,
} from './uvm-advice-time.js';
import type { UvmDriver } from './uvm-driver.js';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFill,
  maskWeight,
  maskZero,
  newMask,
} from './uvm-page-mask.js';
import {
  otherProcessor,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_API_HINT,
  UvmEventMapRemoteCausePolicy,
  type UvmOptionalId,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockAddMappings } from './uvm-va-block-add-mappings.js';
import { uvmVaBlockMakeResident, uvmVaBlockMakeResidentReadDuplicate } from './uvm-va-block-make-resident.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';
import { policyAccessedBy, type UvmVaPolicy } from './uvm-va-policy.js';
import type { UvmVaRange } from './uvm-va-range.js';
import type { UvmVaSpace } from './uvm-va-space.js';

const pages = newMask();

/** One advice: its kind (`UVM_ADVICE_*`), and what it does to ranges that `differs` accepts, or to all that it covers. */
interface UvmAdvice {
  readonly kind: number;
  readonly differs: (policy: UvmVaPolicy) => boolean;
  readonly always: boolean;
  /** Returns ns for the pages that it looked after. */
  readonly change: (range: UvmVaRange) => number;
}

/**
 * Applies an advice to the ranges of an interval, under the VA space lock held for writing, and charges what it cost. The
 * interval splits the ranges at its ends where their policies differ.
 * @returns 0, or -EINVAL where nothing is managed.
 */
function* changeRanges(space: UvmVaSpace, start: number, count: number, advice: UvmAdvice): Task<number> {
  if (!space.lock.tryWriteFast()) yield* space.lock.write();
  const work = { cut: space.splitAsNeeded(start, count, advice.differs), blocks: 0, ns: 0, changed: false };
  let found = false;
  for (const range of space.all()) {
    if (range.end <= start || range.start >= start + count) continue;
    found = true;
    const differs = advice.differs(range.policy);
    if (!differs && !advice.always) continue;
    work.changed ||= differs;
    work.blocks += range.blockCount;
    work.ns += advice.change(range);
  }
  const { driver } = space;
  yield* space.kernel.sched.delay(
    adviceTime(space, advice.kind, work) * driver.gpu.preset.serviceScale.value,
  );
  space.lock.unlockWrite();
  return found ? 0 : -EINVAL;
}

/** Calls `change` for each block of the range, with the context that a hint works in. */
function forBlocks(driver: UvmDriver, range: UvmVaRange, change: (block: UvmVaBlock) => void): void {
  for (const block of range.existingBlocks()) {
    driver.cpuContext.begin(UVM_MAKE_RESIDENT_CAUSE_API_HINT, driver.kernel.sched.now);
    change(block);
  }
}

/**
 * Sets or unsets (-1) the preferred location. Data stays where it is until it is touched. A preferred location that was
 * in the accessed-by set before is mapped again to what it can reach; the new one loses its mappings of data elsewhere.
 * @uvm uvm_policy.c uvm_api_set_preferred_location
 */
export function* uvmSetPreferredLocation(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmOptionalId,
): Task<number> {
  const { driver } = space;
  return yield* changeRanges(space, start, count, {
    kind: UVM_ADVICE_PREFERRED_LOCATION,
    differs: (policy) => policy.preferredLocation !== id,
    always: false,
    change: (range) => preferRange(driver, range, id),
  });
}

/** Returns ns for the pages that lose or get mappings, or that the CPU has. */
function preferRange(driver: UvmDriver, range: UvmVaRange, id: UvmOptionalId): number {
  const { policy } = range;
  const { costs } = driver;
  const before = policy.preferredLocation;
  policy.preferredLocation = id;
  let ns = 0;
  forBlocks(driver, range, (block) => {
    if (before >= 0) {
      const old = before === UVM_ID_CPU ? UVM_ID_CPU : UVM_ID_GPU;
      if (policyAccessedBy(policy, old)) mapAccessedBy(driver, block, old);
    }
    let changed = driver.cpuContext.mappedPages;
    if (id >= 0) changed += unmapElsewhere(block, id === UVM_ID_CPU ? UVM_ID_CPU : UVM_ID_GPU);
    if (id === UVM_ID_GPU) changed += maskWeight(block.cpu.resident);
    ns += costs.adviseCpuPage * changed;
  });
  return ns;
}

/** The preferred processor shall fault on data that is not with it, so that it comes. Copies are with it anyway. Returns the pages unmapped. */
function unmapElsewhere(block: UvmVaBlock, id: UvmProcessorId): number {
  if (block.range.policy.readDuplication) return 0;
  maskCopy(pages, block.masks(id).read);
  maskAndNot(pages, block.masks(id).resident);
  uvmVaBlockUnmap(block, id, pages);
  return maskWeight(pages);
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
  return yield* changeRanges(space, start, count, {
    kind: UVM_ADVICE_ACCESSED_BY,
    differs: (policy) => !policyAccessedBy(policy, id),
    always: true,
    change: (range) => {
      range.policy.accessedBy |= 1 << id;
      let ns = 0;
      forBlocks(driver, range, (block) => {
        mapAccessedBy(driver, block, id);
        ns += accessedByTime(driver, block, id);
      });
      return ns;
    },
  });
}

/** ns for the pages of a block whose rights were looked up, there already or not. */
function accessedByTime({ costs }: UvmDriver, block: UvmVaBlock, id: UvmProcessorId): number {
  if (block.range.policy.readDuplication) return 0;
  const onCpu = maskWeight(block.cpu.resident);
  const onGpu = maskWeight(block.gpu.resident);
  return id === UVM_ID_CPU
    ? costs.adviseCpuPage * onCpu + costs.adviseGpuPage * onGpu
    : costs.adviseMapCpuPage * onCpu + costs.adviseMapGpuPage * onGpu;
}

/** Maps a processor of the accessed-by set to the whole block; not where reading makes copies. @uvm uvm_policy.c uvm_va_block_set_accessed_by */
function mapAccessedBy(driver: UvmDriver, block: UvmVaBlock, id: UvmProcessorId): void {
  if (block.range.policy.readDuplication) return;
  addMappings(driver, block, id);
}

function addMappings(driver: UvmDriver, block: UvmVaBlock, id: UvmProcessorId): void {
  maskZero(pages);
  maskFill(pages, 0, block.pages);
  maskAndNot(pages, block.readDuplicated);
  maskAndNot(pages, block.discarded);
  uvmVaBlockAddMappings(driver, driver.cpuContext, block, id, pages, UvmEventMapRemoteCausePolicy);
}

/** Takes a processor out of the accessed-by set; mappings stay until the next event. @uvm uvm_policy.c uvm_api_unset_accessed_by */
export function* uvmUnsetAccessedBy(
  space: UvmVaSpace,
  start: number,
  count: number,
  id: UvmProcessorId,
): Task<number> {
  return yield* changeRanges(space, start, count, {
    kind: UVM_ADVICE_ACCESSED_BY,
    differs: (policy) => policyAccessedBy(policy, id),
    always: false,
    change: (range) => {
      range.policy.accessedBy &= ~(1 << id);
      return 0;
    },
  });
}

/**
 * Lets reads make copies: nothing moves, but who may write loses that, so that the first write to each page faults, and
 * mappings of data elsewhere go.
 * @uvm uvm_policy.c uvm_api_enable_read_duplication
 */
export function* uvmEnableReadDuplication(space: UvmVaSpace, start: number, count: number): Task<number> {
  const { driver } = space;
  return yield* changeRanges(space, start, count, {
    kind: UVM_ADVICE_READ_DUPLICATION,
    differs: (policy) => !policy.readDuplication,
    always: false,
    change: (range) => {
      let ns = 0;
      forBlocks(driver, range, (block) => {
        const { adviseReadMostlyPage, adviseGpuPage } = driver.costs;
        ns +=
          adviseReadMostlyPage * maskWeight(block.cpu.write) + adviseGpuPage * maskWeight(block.gpu.write);
        for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
          maskCopy(pages, block.masks(id).resident);
          uvmVaBlockMakeResidentReadDuplicate(driver, driver.cpuContext, block, id, pages);
        }
      });
      range.policy.readDuplication = true;
      return ns;
    },
  });
}

/** Ends read duplication: pages in two places keep one copy. @uvm uvm_policy.c uvm_api_disable_read_duplication */
export function* uvmDisableReadDuplication(space: UvmVaSpace, start: number, count: number): Task<number> {
  const { driver } = space;
  return yield* changeRanges(space, start, count, {
    kind: UVM_ADVICE_READ_DUPLICATION,
    differs: (policy) => policy.readDuplication,
    always: false,
    change: (range) => {
      forBlocks(driver, range, (block) => {
        collapse(driver, block);
        for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
          if (policyAccessedBy(range.policy, id)) addMappings(driver, block, id);
        }
      });
      range.policy.readDuplication = false;
      return 0;
    },
  });
}

/** Copies collapse to the preferred location if that has them, else to the first processor that has, the CPU. */
function collapse(driver: UvmDriver, block: UvmVaBlock): void {
  const { preferredLocation } = block.range.policy;
  const first: UvmProcessorId = preferredLocation === UVM_ID_GPU ? UVM_ID_GPU : UVM_ID_CPU;
  for (const keep of [first, otherProcessor(first)] as const) {
    const { work3 } = driver.cpuContext;
    maskCopy(work3, block.readDuplicated);
    maskAnd(work3, block.masks(keep).resident);
    if (!maskEmpty(work3)) uvmVaBlockMakeResident(driver, driver.cpuContext, block, keep, work3);
  }
}
