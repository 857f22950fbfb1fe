import type { UvmDriver } from './uvm-driver.js';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskNext,
  maskSet,
  maskTest,
  maskZero,
  newMask,
} from './uvm-page-mask.js';
import type { UvmPageMask } from './uvm-page-mask.js';
import type { UvmServiceContext } from './uvm-service-context.js';
import {
  otherProcessor,
  UVM_ID_CPU,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';

const byProt = [newMask(), newMask(), newMask()];
const part = newMask();

/**
 * The most that `id` may be given on a page without taking a right from anybody: one of `UVM_PROT_*`. Copies can only be
 * read, each where it is.
 * @uvm uvm_va_block.c uvm_va_block_page_compute_highest_permission
 */
export function uvmVaBlockPageComputeHighestPermission(
  driver: UvmDriver,
  block: UvmVaBlock,
  id: UvmProcessorId,
  page: number,
): number {
  const at = block.closestResident(id, page);
  if (at < 0) return UVM_PROT_NONE;
  const residency = at === id ? id : otherProcessor(id);
  if (maskTest(block.readDuplicated, page)) return UVM_PROT_READ_ONLY;
  if (!driver.canAccess(id, residency)) return UVM_PROT_NONE;
  const other = otherProcessor(id);
  const held = block.prot(other, page);
  if (held === UVM_PROT_READ_WRITE_ATOMIC && !driver.nativeAtomics(other, residency))
    return UVM_PROT_READ_ONLY;
  if (driver.nativeAtomics(id, residency) || held < UVM_PROT_READ_WRITE) return UVM_PROT_READ_WRITE_ATOMIC;
  return UVM_PROT_READ_WRITE;
}

/**
 * Maps the pages of `mask` on `id`, wherever they are and it can reach them, each with the most it may get.
 * @uvm uvm_va_block.c uvm_va_block_add_mappings
 */
export function uvmVaBlockAddMappings(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  cause: number,
): void {
  for (const one of byProt) maskZero(one);
  for (let page = maskNext(mask, 0); page < block.pages; page = maskNext(mask, page + 1)) {
    const prot = uvmVaBlockPageComputeHighestPermission(driver, block, id, page);
    const bucket = byProt[prot - 1];
    if (bucket !== undefined) maskSet(bucket, page);
  }
  for (const [i, bucket] of byProt.entries()) {
    for (const residency of [id, otherProcessor(id)]) {
      maskCopy(part, bucket);
      maskAnd(part, block.masks(residency).resident);
      uvmVaBlockMap(driver, ctx, block, id, residency, part, i + 1, cause);
      maskAndNot(bucket, part);
    }
  }
}

/**
 * Maps the processor that did not ask, after pages became resident on `residency` for `id`, which has got `prot`: by what
 * coherence leaves it. Copies, and a preferred location that does not have the data, get no mapping.
 * @uvm uvm_va_block.c uvm_va_block_add_mappings_after_migration
 */
export function uvmVaBlockAddMappingsAfterMigration(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  residency: UvmProcessorId,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
  cause: number,
): void {
  const other = otherProcessor(id);
  const { policy } = block.range;
  if (policy.readDuplication || !driver.canAccess(other, residency)) return;
  if (policy.preferredLocation === other && residency !== other) return;
  maskCopy(part, mask);
  maskAndNot(part, block.readDuplicated);
  uvmVaBlockMap(
    driver,
    ctx,
    block,
    other,
    residency,
    part,
    protOfOther(driver, id, other, residency, prot),
    cause,
  );
}

/** What the other processor may have beside `prot` of `id`. @uvm uvm_va_block.c do_block_add_mappings_after_migration */
function protOfOther(
  driver: UvmDriver,
  id: UvmProcessorId,
  other: UvmProcessorId,
  residency: UvmProcessorId,
  prot: number,
): number {
  if (prot !== UVM_PROT_READ_WRITE_ATOMIC) return prot;
  if (!driver.nativeAtomics(id, residency))
    return id === UVM_ID_CPU ? UVM_PROT_READ_WRITE : UVM_PROT_READ_ONLY;
  return driver.nativeAtomics(other, residency) ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
}
