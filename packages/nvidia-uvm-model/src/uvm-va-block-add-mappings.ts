import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskFill,
  maskNext,
  maskSet,
  maskTest,
  maskZero,
} from './uvm-page-mask.js';
import type { UvmPageMask } from './uvm-page-mask.js';
import type { UvmProcessorLinks } from './uvm-processor-links.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import {
  processorIn,
  UVM_ID_CPU,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCausePolicy,
  UvmEventMapRemoteCauseThrashing,
  type UvmProcessorId,
  type UvmProcessorMask,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';

/**
 * The most that `id` may be given on a page without taking a right from anybody: one of `UVM_PROT_*`. Copies can only be
 * read, each where it is.
 * @uvm uvm_va_block.c uvm_va_block_page_compute_highest_permission (without: UVM-Lite GPUs, atomics that are disabled)
 */
export function uvmVaBlockPageComputeHighestPermission(
  links: UvmProcessorLinks,
  block: UvmVaBlock,
  id: UvmProcessorId,
  page: number,
): number {
  const residency = block.closestResident(id, page);
  if (residency < 0) return UVM_PROT_NONE;
  if (maskTest(block.readDuplicated, page)) return residency === id ? UVM_PROT_READ_ONLY : UVM_PROT_NONE;
  if (!links.canAccess(id, residency)) return UVM_PROT_NONE;
  let isWritten = false;
  for (let other = UVM_ID_CPU; other < block.processorCount; other++) {
    if (other === id) continue;
    const held = block.prot(other, page);
    if (held === UVM_PROT_READ_WRITE_ATOMIC && !links.nativeAtomics(other, residency))
      return UVM_PROT_READ_ONLY;
    isWritten ||= held >= UVM_PROT_READ_WRITE;
  }
  return !isWritten || links.nativeAtomics(id, residency) ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
}

/**
 * Maps the pages of `mask` on `id`, wherever they are and it can reach them, each with the most it may get.
 * @uvm uvm_va_block.c uvm_va_block_add_mappings (all)
 */
export function uvmVaBlockAddMappings(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  cause: number,
): void {
  const { addByProt, addPart } = ctx.scratch;
  for (const one of addByProt) maskZero(one);
  for (let page = maskNext(mask, 0); page < block.pages; page = maskNext(mask, page + 1)) {
    const prot = uvmVaBlockPageComputeHighestPermission(ctx.links, block, id, page);
    const bucket = addByProt[prot - 1];
    if (bucket !== undefined) maskSet(bucket, page);
  }
  for (const [i, bucket] of addByProt.entries()) {
    for (let left = (1 << (block.processorCount - 1)) * 2 - 1; left !== 0;) {
      const residency = ctx.links.closest(left, id);
      left &= ~(1 << residency);
      maskCopy(addPart, bucket);
      maskAnd(addPart, block.masks(residency).resident);
      uvmVaBlockMap(ctx, block, id, addPart, i + 1, cause);
      maskAndNot(bucket, addPart);
    }
  }
}

/**
 * Maps a processor of the accessed-by set to the whole block; not where reading makes copies.
 * @uvm uvm_policy.c uvm_va_block_set_accessed_by (without: trackers of pushes)
 */
export function uvmVaBlockSetAccessedBy(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
): void {
  if (!block.range.policy.readDuplication) addAccessedByMappings(ctx, block, id);
}

/** The same, whatever reading does: for memory that reading makes copies of no more. */
export function addAccessedByMappings(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
): void {
  const { part } = ctx.scratch;
  maskZero(part);
  maskFill(part, 0, block.pages);
  maskAndNot(part, block.readDuplicated);
  maskAndNot(part, block.discarded);
  uvmVaBlockAddMappings(ctx, block, id, part, UvmEventMapRemoteCausePolicy);
}

/** Pages that have become resident in one place. */
export interface UvmMigratedPages {
  /** For whom, and what it got on them. */
  readonly id: UvmProcessorId;
  readonly prot: number;
  /** Where they are. */
  readonly residency: UvmProcessorId;
  /** Who thrashes on them. */
  readonly thrashing: UvmProcessorMask;
}

/**
 * Maps the processors that did not ask, but keep a mapping by advice or thrash, after pages became resident: by what coherence leaves
 * them. Copies, and a preferred location that does not have the data, get no mapping.
 * @uvm uvm_va_block.c uvm_va_block_add_mappings_after_migration (without: UVM-Lite and integrated GPUs)
 */
export function uvmVaBlockAddMappingsAfterMigration(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  mask: UvmPageMask,
  migrated: UvmMigratedPages,
): void {
  const { policy } = block.range;
  const { id, residency, thrashing } = migrated;
  const others = (policy.accessedBy | thrashing) & ~(1 << id);
  if (others === 0 || policy.readDuplication || maskNext(mask, 0) >= block.pages) return;
  const { addPart } = ctx.scratch;
  for (let other = UVM_ID_CPU; other < block.processorCount; other++) {
    if (!processorIn(others, other) || !ctx.links.canAccess(other, residency)) continue;
    if (policy.preferredLocation === other && residency !== other) continue;
    maskCopy(addPart, mask);
    maskAndNot(addPart, block.readDuplicated);
    const cause = processorIn(thrashing, other)
      ? UvmEventMapRemoteCauseThrashing
      : UvmEventMapRemoteCausePolicy;
    uvmVaBlockMap(ctx, block, other, addPart, protOfOther(ctx.links, migrated, other), cause);
  }
}

/**
 * What `other` may have beside what the requester got.
 * @uvm uvm_va_block.c do_block_add_mappings_after_migration (without: atomics that are disabled)
 */
function protOfOther(
  links: UvmProcessorLinks,
  { id, prot, residency }: UvmMigratedPages,
  other: UvmProcessorId,
): number {
  if (prot !== UVM_PROT_READ_WRITE_ATOMIC) return prot;
  if (!links.nativeAtomics(id, residency))
    return id === UVM_ID_CPU ? UVM_PROT_READ_WRITE : UVM_PROT_READ_ONLY;
  return links.nativeAtomics(other, residency) ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
}
