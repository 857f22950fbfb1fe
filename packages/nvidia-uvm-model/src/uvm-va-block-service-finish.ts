import { fullyDiscarded, keepContents } from './uvm-discard.js';
import type { UvmDriver } from './uvm-driver.js';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskNext,
  maskOr,
  maskSet,
  maskZero,
  newMask,
  type UvmPageMask,
} from './uvm-page-mask.js';
import type { UvmServiceContext } from './uvm-service-context.js';
import {
  otherProcessor,
  UVM_ID_GPU,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCausePolicy,
  UvmEventMapRemoteCauseThrashing,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockAddMappingsAfterMigration } from './uvm-va-block-add-mappings.js';
import { revokeOthers, uvmVaBlockMap } from './uvm-va-block-map.js';
import { policyAccessedBy } from './uvm-va-policy.js';

const writable = newMask();
const might = newMask();
const one = newMask();
/** Pages by their new protection, weakest first. */
const byProt = [newMask(), newMask(), newMask()] as const;
const PROTS = [UVM_PROT_READ_ONLY, UVM_PROT_READ_WRITE, UVM_PROT_READ_WRITE_ATOMIC] as const;

/**
 * The mappings of a service of `id` whose pages are now on `residency`: new protections, then others' rights are revoked,
 * then the faulting processor is mapped, then those that keep a mapping by advice or because of a pin. Each goes from the
 * weakest protection to the strongest.
 * @uvm uvm_va_block.c uvm_va_block_service_finish
 */
export function uvmVaBlockServiceFinish(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  pages: UvmPageMask,
): void {
  computeNewPermissions(driver, ctx, block, id, residency, pages);
  const [, readWrite, atomic] = byProt;
  revokeOthers(driver, ctx, block, id, residency, readWrite, UVM_PROT_READ_WRITE);
  revokeOthers(driver, ctx, block, id, residency, atomic, UVM_PROT_READ_WRITE_ATOMIC);
  for (const prot of PROTS) mapFaulting(driver, ctx, block, id, residency, prot);
  for (const prot of PROTS) mapOthers(driver, ctx, block, id, residency, prot);
  noteDiscarded(driver, block, residency);
}

/** What can be written is needed again; a chunk with nothing but discarded pages goes before others. */
function noteDiscarded(driver: UvmDriver, block: UvmVaBlock, residency: UvmProcessorId): void {
  if (maskEmpty(block.discarded)) return;
  const [, readWrite, atomic] = byProt;
  keepContents(block, readWrite);
  keepContents(block, atomic);
  if (residency === UVM_ID_GPU && block.gpuBase >= 0 && fullyDiscarded(block))
    driver.pmm.markDiscarded(block.gpuBase);
}

/** Sorts the pages into `byProt`. @uvm uvm_va_block.c compute_new_permission */
function computeNewPermissions(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  pages: UvmPageMask,
): void {
  const native = driver.nativeAtomics(id, residency);
  const [readOnly, readWrite, atomic] = byProt;
  computeWritable(driver, ctx, block, id, residency, pages);
  maskCopy(readOnly, pages);
  maskAndNot(readOnly, writable);
  maskCopy(atomic, native ? writable : ctx.atomics);
  maskAnd(atomic, pages);
  maskCopy(readWrite, writable);
  maskAndNot(readWrite, atomic);
}

/**
 * The pages that get write permission: those written, and those read where promotion revokes nothing, i.e. which cannot be
 * duplicated and where the other processor has no right to atomics that it would lose. What is discarded has to be written
 * by a fault of its own.
 */
function computeWritable(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  pages: UvmPageMask,
): void {
  const other = otherProcessor(id);
  maskCopy(writable, pages);
  if (block.range.policy.readDuplication) {
    maskAnd(writable, ctx.writes);
    return;
  }
  maskCopy(might, block.readDuplicated);
  maskOr(might, block.discarded);
  if (!driver.nativeAtomics(other, residency)) maskOr(might, block.masks(other).atomic);
  maskAndNot(might, ctx.writes);
  maskAndNot(writable, might);
}

function mapFaulting(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  prot: number,
): void {
  const bucket = byProt[prot - 1];
  if (bucket === undefined || maskEmpty(bucket)) return;
  maskCopy(ctx.work, bucket);
  maskAnd(ctx.work, ctx.pinned);
  uvmVaBlockMap(driver, ctx, block, id, residency, ctx.work, prot, UvmEventMapRemoteCauseThrashing);
  maskCopy(ctx.work, bucket);
  maskAndNot(ctx.work, ctx.pinned);
  uvmVaBlockMap(driver, ctx, block, id, residency, ctx.work, prot, ctx.remoteCause);
}

/** Pinned pages one by one, with those that thrash on them; the rest by advice. @uvm uvm_va_block.c block_service_finish_map_accessed_by */
function mapOthers(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  prot: number,
): void {
  const bucket = byProt[prot - 1];
  if (bucket === undefined || maskEmpty(bucket)) return;
  const other = otherProcessor(id);
  const advised = policyAccessedBy(block.range.policy, other);
  maskCopy(ctx.work, bucket);
  maskAnd(ctx.work, ctx.pinned);
  const pages = block.thrashing?.pages;
  for (let page = maskNext(ctx.work, 0); page < block.pages; page = maskNext(ctx.work, page + 1)) {
    const thrashes = (((pages?.processors[page] ?? 0) >>> other) & 1) !== 0;
    if (!advised && !thrashes) continue;
    maskZero(one);
    maskSet(one, page);
    const cause = thrashes ? UvmEventMapRemoteCauseThrashing : UvmEventMapRemoteCausePolicy;
    uvmVaBlockAddMappingsAfterMigration(driver, ctx, block, residency, id, one, prot, cause);
  }
  if (!advised) return;
  maskCopy(ctx.work, bucket);
  maskAndNot(ctx.work, ctx.pinned);
  const cause = UvmEventMapRemoteCausePolicy;
  uvmVaBlockAddMappingsAfterMigration(driver, ctx, block, residency, id, ctx.work, prot, cause);
}
