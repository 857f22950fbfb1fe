import { maskAnd, maskAndNot, maskCopy, maskNext, maskSet, maskTest, maskZero } from './uvm-page-mask.js';
import type { UvmPageMask } from './uvm-page-mask.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import {
  otherProcessor,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';

/**
 * The most that `id` may be given on a page without taking a right from anybody: one of `UVM_PROT_*`. Copies can only be
 * read, each where it is.
 * @uvm uvm_va_block.c uvm_va_block_page_compute_highest_permission (without: other GPUs)
 */
export function uvmVaBlockPageComputeHighestPermission(
  gpu: UvmParentGpu,
  block: UvmVaBlock,
  id: UvmProcessorId,
  page: number,
): number {
  const at = block.closestResident(id, page);
  if (at < 0) return UVM_PROT_NONE;
  const residency = at === id ? id : otherProcessor(id);
  if (maskTest(block.readDuplicated, page)) return UVM_PROT_READ_ONLY;
  if (!gpu.canAccess(id, residency)) return UVM_PROT_NONE;
  const other = otherProcessor(id);
  const held = block.prot(other, page);
  if (held === UVM_PROT_READ_WRITE_ATOMIC && !gpu.nativeAtomics(other, residency)) return UVM_PROT_READ_ONLY;
  if (gpu.nativeAtomics(id, residency) || held < UVM_PROT_READ_WRITE) return UVM_PROT_READ_WRITE_ATOMIC;
  return UVM_PROT_READ_WRITE;
}

/**
 * Maps the pages of `mask` on `id`, wherever they are and it can reach them, each with the most it may get.
 * @uvm uvm_va_block.c uvm_va_block_add_mappings (without: other GPUs)
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
    const prot = uvmVaBlockPageComputeHighestPermission(ctx.gpu, block, id, page);
    const bucket = addByProt[prot - 1];
    if (bucket !== undefined) maskSet(bucket, page);
  }
  for (const [i, bucket] of addByProt.entries()) {
    for (const residency of [id, otherProcessor(id)]) {
      maskCopy(addPart, bucket);
      maskAnd(addPart, block.masks(residency).resident);
      uvmVaBlockMap(ctx, block, id, addPart, i + 1, cause);
      maskAndNot(bucket, addPart);
    }
  }
}

/**
 * Maps the processor that did not ask, after pages became resident, all of them in one place, for `id`, which has got `prot`: by what
 * coherence leaves it. Copies, and a preferred location that does not have the data, get no mapping.
 * @uvm uvm_va_block.c uvm_va_block_add_mappings_after_migration (without: other GPUs and their atomics)
 */
export function uvmVaBlockAddMappingsAfterMigration(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
  cause: number,
): void {
  const first = maskNext(mask, 0);
  if (first >= block.pages) return;
  const residency = block.closestResident(id, first) === UVM_ID_GPU ? UVM_ID_GPU : UVM_ID_CPU;
  const other = otherProcessor(id);
  const { policy } = block.range;
  if (policy.readDuplication || !ctx.gpu.canAccess(other, residency)) return;
  if (policy.preferredLocation === other && residency !== other) return;
  const { addPart } = ctx.scratch;
  maskCopy(addPart, mask);
  maskAndNot(addPart, block.readDuplicated);
  uvmVaBlockMap(ctx, block, other, addPart, protOfOther(ctx.gpu, id, residency, prot), cause);
}

/**
 * What the other processor may have beside `prot` of `id`.
 * @uvm uvm_va_block.c do_block_add_mappings_after_migration (without: other GPUs)
 */
function protOfOther(gpu: UvmParentGpu, id: UvmProcessorId, residency: UvmProcessorId, prot: number): number {
  if (prot !== UVM_PROT_READ_WRITE_ATOMIC) return prot;
  if (!gpu.nativeAtomics(id, residency)) return id === UVM_ID_CPU ? UVM_PROT_READ_WRITE : UVM_PROT_READ_ONLY;
  return gpu.nativeAtomics(otherProcessor(id), residency) ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
}
