import { keepContents } from './uvm-discard.js';
import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskNext,
  maskSet,
  maskZero,
  type UvmPageMask,
} from './uvm-page-mask.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import {
  UVM_ID_CPU,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCauseThrashing,
  type UvmProcessorId,
} from './uvm-types.js';
import { ROW_DISCARDED, ROW_READ_DUPLICATED, rowAtomic, type UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockAddMappingsAfterMigration } from './uvm-va-block-add-mappings.js';
import { revokeOthers, uvmVaBlockMap } from './uvm-va-block-map.js';

const PROTS = [UVM_PROT_READ_ONLY, UVM_PROT_READ_WRITE, UVM_PROT_READ_WRITE_ATOMIC] as const;

/**
 * The mappings of a service of `id` whose pages are now on `residency`: new protections, then others' rights are revoked,
 * then the faulting processor is mapped, then those that keep a mapping by advice or because of a pin. Each goes from the
 * weakest protection to the strongest.
 * @uvm uvm_va_block.c uvm_va_block_service_finish (without: trackers of pushes)
 */
export function uvmVaBlockServiceFinish(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  pages: UvmPageMask,
): void {
  const [, readWrite, atomic] = ctx.scratch.byProt;
  const found = computeNewPermissions(ctx, block, id, residency, pages);
  if ((found & bitOf(UVM_PROT_READ_WRITE)) !== 0)
    revokeOthers(ctx, block, id, residency, readWrite, UVM_PROT_READ_WRITE);
  if ((found & bitOf(UVM_PROT_READ_WRITE_ATOMIC)) !== 0)
    revokeOthers(ctx, block, id, residency, atomic, UVM_PROT_READ_WRITE_ATOMIC);
  for (const prot of PROTS) if ((found & bitOf(prot)) !== 0) mapFaulting(ctx, block, id, prot);
  if (block.range.policy.accessedBy !== 0 || ctx.anyPinned) {
    for (const prot of PROTS) if ((found & bitOf(prot)) !== 0) mapOthers(ctx, block, id, residency, prot);
  }
  if ((found & DISCARDS) !== 0) noteDiscarded(ctx, block, id);
}

/** In what {@link computeNewPermissions} returns: among the pages are some whose contents are needed no more. */
const DISCARDS = 1;

/** The bit of a protection in what {@link computeNewPermissions} returns; that of no protection is {@link DISCARDS}. */
function bitOf(prot: number): number {
  return 1 << prot;
}

/**
 * What can be written is needed again. Mapping one discarded page on the GPU puts the block's chunk before others in the order of
 * evictions, a chunk of this very service apart.
 * @uvm uvm_va_block.c block_map_gpu_to (all)
 */
function noteDiscarded(ctx: UvmServiceBlockContext, block: UvmVaBlock, id: UvmProcessorId): void {
  const [, readWrite, atomic] = ctx.scratch.byProt;
  keepContents(block, readWrite);
  keepContents(block, atomic);
  if (id === UVM_ID_CPU || ctx.done.newRoot) return;
  const { base } = block.gpuState(id);
  if (base >= 0) ctx.gpuOf(id).pmm.markDiscarded(base);
}

/**
 * Sorts the pages into the scratch masks `byProt`. The pages that get write permission: those written, and those read where promotion revokes
 * nothing, i.e. which cannot be duplicated and where nobody has a right to atomics that it would lose. What is
 * discarded has to be written by a fault of its own. @returns the bit ({@link bitOf}) of each protection that a page gets.
 * @uvm uvm_va_block.c compute_new_permission (without: processors that cannot fault)
 */
function computeNewPermissions(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  pages: UvmPageMask,
): number {
  const native = ctx.links.nativeAtomics(id, residency);
  const asWritten = block.range.policy.readDuplication ? -1 : 0;
  const { writes, atomics } = ctx;
  const { row } = block;
  const [readOnly, readWrite, atomic] = ctx.scratch.byProt;
  let discards = 0;
  let anyReadOnly = 0;
  let anyReadWrite = 0;
  let anyAtomic = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const asked = pages[i] ?? 0;
    let writable = 0;
    let most = 0;
    if (asked !== 0) {
      const discarded = row[ROW_DISCARDED + i] ?? 0;
      const copies = (row[ROW_READ_DUPLICATED + i] ?? 0) | asWritten;
      const refused = discarded | copies | wouldLoseAtomics(ctx, block, id, residency, i);
      discards |= discarded & asked;
      writable = asked & (~refused | (writes[i] ?? 0));
      most = native ? writable : asked & (atomics[i] ?? 0);
    }
    readOnly[i] = asked & ~writable;
    readWrite[i] = writable & ~most;
    atomic[i] = most;
    anyReadOnly |= asked & ~writable;
    anyReadWrite |= writable & ~most;
    anyAtomic |= most;
  }
  let found = discards === 0 ? 0 : DISCARDS;
  if (anyReadOnly !== 0) found |= bitOf(UVM_PROT_READ_ONLY);
  if (anyReadWrite !== 0) found |= bitOf(UVM_PROT_READ_WRITE);
  return anyAtomic === 0 ? found : found | bitOf(UVM_PROT_READ_WRITE_ATOMIC);
}

/** The pages of word `i` of a mask on which somebody but `id` has a right to atomics that does not work on `residency` as it is. */
function wouldLoseAtomics(
  { links }: UvmServiceBlockContext,
  { processorCount, row }: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  i: number,
): number {
  let pages = 0;
  for (let other = UVM_ID_CPU; other < processorCount; other++) {
    if (other !== id && !links.nativeAtomics(other, residency)) pages |= row[rowAtomic(other) + i] ?? 0;
  }
  return pages;
}

/** The pages that get `prot`. */
function bucketOf({ scratch }: UvmServiceBlockContext, prot: number): UvmPageMask {
  const [readOnly, readWrite, atomic] = scratch.byProt;
  if (prot === UVM_PROT_READ_ONLY) return readOnly;
  return prot === UVM_PROT_READ_WRITE ? readWrite : atomic;
}

/** The pages that get `prot`, sorted into those that are pinned and the others. */
function splitByPin(ctx: UvmServiceBlockContext, prot: number): void {
  const { pinnedPart, otherPart } = ctx.scratch;
  const bucket = bucketOf(ctx, prot);
  maskCopy(pinnedPart, bucket);
  maskAnd(pinnedPart, ctx.pinned);
  maskCopy(otherPart, bucket);
  maskAndNot(otherPart, ctx.pinned);
}

function mapFaulting(ctx: UvmServiceBlockContext, block: UvmVaBlock, id: UvmProcessorId, prot: number): void {
  const { pinnedPart, otherPart } = ctx.scratch;
  if (ctx.anyPinned) {
    splitByPin(ctx, prot);
    uvmVaBlockMap(ctx, block, id, pinnedPart, prot, UvmEventMapRemoteCauseThrashing);
  }
  uvmVaBlockMap(ctx, block, id, ctx.anyPinned ? otherPart : bucketOf(ctx, prot), prot, ctx.remoteCause);
}

/**
 * Pinned pages one by one, with those that thrash on them; the rest by advice.
 * @uvm uvm_va_block.c block_service_finish_map_accessed_by (all)
 */
function mapOthers(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  prot: number,
): void {
  const pages = block.thrashing?.pages;
  const { onePage, otherPart, pinnedPart } = ctx.scratch;
  splitByPin(ctx, prot);
  for (let page = maskNext(pinnedPart, 0); page < block.pages; page = maskNext(pinnedPart, page + 1)) {
    maskZero(onePage);
    maskSet(onePage, page);
    const migrated = { id, residency, prot, thrashing: pages?.processors[page] ?? 0 };
    uvmVaBlockAddMappingsAfterMigration(ctx, block, onePage, migrated);
  }
  uvmVaBlockAddMappingsAfterMigration(ctx, block, otherPart, { id, residency, prot, thrashing: 0 });
}
