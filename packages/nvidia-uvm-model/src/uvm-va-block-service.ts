import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskNext,
  maskOr,
  maskSet,
  maskZero,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { uvmPerfPrefetchGetHint, WHOLE_BLOCK } from './uvm-perf-prefetch.js';
import {
  UVM_PERF_THRASHING_HINT_TYPE_PIN,
  UVM_PERF_THRASHING_HINT_TYPE_THROTTLE,
} from './uvm-perf-policy.js';
import { uvmPerfThrashingGetHint } from './uvm-perf-thrashing.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import {
  nextProcessor,
  UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG,
  UVM_FAULT_ACCESS_TYPE_PREFETCH,
  UVM_FAULT_ACCESS_TYPE_READ,
  UVM_FAULT_ACCESS_TYPE_WRITE,
  UVM_ID_CPU,
  UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCauseOutOfMemory,
  type UvmProcessorId,
} from './uvm-types.js';
import { ROW_READ_DUPLICATED, type UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockMakeResident, uvmVaBlockMakeResidentReadDuplicate } from './uvm-va-block-make-resident.js';
import { hasProt } from './uvm-va-block-map.js';
import { uvmVaBlockServiceFinish } from './uvm-va-block-service-finish.js';
import { policyAccessedBy } from './uvm-va-policy.js';

/** The fault needs nothing: the mapping is there already. */
export const FAULT_SATISFIED = 0;
/** The page is among those to serve. */
export const FAULT_TAKEN = 1;
/** The detector says to wait, until the end of `ctx.hint`. */
export const FAULT_THROTTLED = 2;

/** The protection that an access needs. */
export function protOfAccess(access: number): number {
  if (access <= UVM_FAULT_ACCESS_TYPE_READ) return UVM_PROT_READ_ONLY;
  return access === UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
}

/**
 * Looks at one fault of processor `id` on a page and adds it to what the service does: skips what is mapped already,
 * asks the thrashing detector, selects the new residency. @returns one of `FAULT_*`.
 */
export function uvmVaBlockAddFault(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  page: number,
  access: number,
): number {
  if (hasProt(block, id, page, protOfAccess(access))) return FAULT_SATISFIED;
  return addPage(ctx, block, id, page, access);
}

/**
 * Adds the pages that access counters name to what the service does: the GPU has them mapped already, and the question is
 * where they are to live. All of them are on the other processor and nowhere else. What the thrashing detector throttles is left out.
 * @uvm uvm_gpu_access_counters.c service_va_block_locked (without: statistics)
 */
export function uvmVaBlockAddNotified(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  pages: UvmPageMask,
): void {
  const first = maskNext(pages, 0);
  if (first >= block.pages) return;
  if (alike(ctx, block)) {
    const to = selectResidency(ctx, block, first, id, UVM_FAULT_ACCESS_TYPE_PREFETCH, undefined);
    maskOr(ctx.goingTo(to), pages);
    maskOr(ctx.faulted, pages);
    return;
  }
  for (let page = first; page < block.pages; page = maskNext(pages, page + 1))
    addPage(ctx, block, id, page, UVM_FAULT_ACCESS_TYPE_PREFETCH);
}

/** Whether pages that are in one place go to one place: nothing that decides is kept, or asked, page by page. */
function alike(ctx: UvmServiceBlockContext, block: UvmVaBlock): boolean {
  if (ctx.global.policy.selectResidency !== undefined || block.thrashing?.pages !== undefined) return false;
  return !block.range.policy.readDuplication && maskEmpty(block.readDuplicated);
}

/**
 * Adds a fault that cannot be replayed: as {@link uvmVaBlockAddFault}, but the thrashing detector is not asked.
 * @uvm uvm_gpu_non_replayable_faults.c service_managed_fault_in_block_locked (all)
 */
export function uvmVaBlockAddUnhinted(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  page: number,
  access: number,
): number {
  if (hasProt(block, id, page, protOfAccess(access))) return FAULT_SATISFIED;
  placePage(ctx, block, id, page, access, undefined);
  return FAULT_TAKEN;
}

function addPage(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  page: number,
  access: number,
): number {
  const hint = uvmPerfThrashingGetHint(ctx, block, page, id);
  if (hint.type === UVM_PERF_THRASHING_HINT_TYPE_THROTTLE) return FAULT_THROTTLED;
  const pinned = hint.type === UVM_PERF_THRASHING_HINT_TYPE_PIN;
  if (pinned) {
    maskSet(ctx.pinned, page);
    ctx.anyPinned = true;
  }
  placePage(ctx, block, id, page, access, pinned ? hint.residency : undefined);
  return FAULT_TAKEN;
}

/** Adds a page to those of its new residency. */
function placePage(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  page: number,
  access: number,
  pinAt: UvmProcessorId | undefined,
): void {
  const chosen = selectResidency(ctx, block, page, id, access, pinAt);
  const to = ctx.global.policy.selectResidency?.(block, page, id, chosen) ?? chosen;
  maskSet(ctx.goingTo(to), page);
  maskSet(ctx.faulted, page);
  if (access >= UVM_FAULT_ACCESS_TYPE_WRITE) maskSet(ctx.writes, page);
  if (access === UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG) maskSet(ctx.atomics, page);
}

/** Whether reads of the page by `id` make a copy. */
function duplicates(block: UvmVaBlock, page: number): boolean {
  const copies = block.row[ROW_READ_DUPLICATED + (page >>> 5)] ?? 0;
  return block.range.policy.readDuplication || ((copies >>> (page & 31)) & 1) !== 0;
}

/**
 * Where a faulting page goes; the first rule that matches decides.
 * @uvm uvm_va_block.c block_select_processor_residency (without: NUMA nodes, UVM-Lite)
 */
function selectResidency(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  page: number,
  id: UvmProcessorId,
  access: number,
  pinAt: UvmProcessorId | undefined,
): UvmProcessorId {
  if (ctx.global.forceSysmem) return UVM_ID_CPU;
  if (duplicates(block, page) && pinAt === undefined) {
    if (access <= UVM_FAULT_ACCESS_TYPE_READ) {
      maskSet(ctx.duplicate, page);
      ctx.anyDuplicate = true;
    }
    return id;
  }
  const { policy } = block.range;
  const preferred = policy.preferredLocation;
  if (preferred === id) return id;
  if (pinAt !== undefined) return pinAt;
  const { links } = ctx;
  const at = block.closestResident(id, page);
  const elsewhere = preferred >= 0 && links.canAccess(id, preferred) ? preferred : id;
  if (at < 0) return elsewhere;
  const counted = ctx.cause === UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER;
  if (!counted && policyAccessedBy(policy, id) && links.canAccess(id, at)) return at;
  if (ctx.global.remoteOnNativeAtomics && at !== id && links.nativeAtomics(id, at)) return at;
  return at === id ? id : elsewhere;
}

/**
 * Serves what {@link uvmVaBlockAddFault} gathered: prefetch hint, make resident,
 * map.
 * @returns false when memory is used up on the destination; the pages it concerns stay as they were.
 * @uvm uvm_va_block.c uvm_va_block_service_locked (without: retries after an allocation dropped the lock)
 */
export function uvmVaBlockServiceLocked(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
): boolean {
  ctx.tools.counters.services++;
  const destinations = ctx.destinations();
  const first = nextProcessor(destinations, UVM_ID_CPU);
  if (destinations !== 0 && (destinations & (destinations - 1)) === 0) {
    uvmPerfPrefetchGetHint(ctx, block, first, ctx.goingTo(first), WHOLE_BLOCK);
    duplicatePrefetched(ctx, block);
  }
  let ok = true;
  for (let at = first; at >= 0; at = nextProcessor(destinations, at + 1))
    ok = serveDestination(ctx, block, id, at, ctx.goingTo(at)) && ok;
  return ok;
}

/** What is taken along is copied where reading makes copies, and where there is a copy already. */
function duplicatePrefetched(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const all = block.range.policy.readDuplication ? -1 : 0;
  const { row } = block;
  const { prefetch, duplicate } = ctx;
  for (let i = 0; i < MASK_WORDS; i++) {
    const taken = prefetch[i] ?? 0;
    const copies = taken === 0 ? 0 : taken & ((row[ROW_READ_DUPLICATED + i] ?? 0) | all);
    if (copies === 0) continue;
    duplicate[i] = (duplicate[i] ?? 0) | copies;
    ctx.anyDuplicate = true;
  }
}

/**
 * Serves faults of GPU `id` for which it has no memory from host memory: the pages stay, or come to be, there and are mapped
 * remotely. @returns whether that is possible.
 */
export function uvmVaBlockServeRemotely(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
): boolean {
  const pages = ctx.goingTo(id);
  maskAndNot(pages, block.masks(id).resident);
  maskAnd(pages, ctx.faulted);
  maskZero(ctx.prefetch);
  maskZero(ctx.duplicate);
  ctx.remoteCause = UvmEventMapRemoteCauseOutOfMemory;
  return serveDestination(ctx, block, id, UVM_ID_CPU, pages);
}

function serveDestination(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  destination: UvmProcessorId,
  pages: UvmPageMask,
): boolean {
  maskOr(pages, ctx.prefetch);
  if (!makeResident(ctx, block, destination, pages)) return false;
  uvmVaBlockServiceFinish(ctx, block, id, destination, pages);
  return true;
}

/** Copies the pages that reading duplicates, moves the others. Returns as {@link uvmVaBlockMakeResident}. */
function makeResident(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  pages: UvmPageMask,
): boolean {
  if (!ctx.anyDuplicate) return uvmVaBlockMakeResident(ctx, block, destination, pages);
  maskCopy(ctx.scratch.part, pages);
  maskAnd(ctx.scratch.part, ctx.duplicate);
  const copies = !maskEmpty(ctx.scratch.part);
  if (copies && !uvmVaBlockMakeResidentReadDuplicate(ctx, block, destination, ctx.scratch.part)) return false;
  maskCopy(ctx.scratch.part, pages);
  maskAndNot(ctx.scratch.part, ctx.duplicate);
  return maskEmpty(ctx.scratch.part) || uvmVaBlockMakeResident(ctx, block, destination, ctx.scratch.part);
}
