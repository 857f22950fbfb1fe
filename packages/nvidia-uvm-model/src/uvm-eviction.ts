import { hweight32 } from '@hmm/kernel/internal';
import { MASK_WORDS, maskAndNot, maskCopy, maskNext, type UvmPageMask } from './uvm-page-mask.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeEviction } from './uvm-tools.js';
import {
  processorIn,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_EVICTION,
  UvmEventMapRemoteCauseEviction,
  type UvmProcessorId,
} from './uvm-types.js';
import { uvmVaBlockAddMappings, uvmVaBlockSetAccessedBy } from './uvm-va-block-add-mappings.js';
import { ROW_DISCARDED, ROW_EVICTED, ROW_RESIDENT, rowOf, type UvmVaBlock } from './uvm-va-block.js';
import { freeGpuChunks, uvmVaBlockMakeResident } from './uvm-va-block-make-resident.js';

/**
 * Evicts one root chunk of `gpu` (`uvm_pmm_gpu_evict`): every block that owns a part of it moves home to the CPU, also where another
 * GPU would have room. `keep` is the block that needs the memory; its own chunk is passed over. @returns false when nothing can be
 * evicted.
 */
export function evictOne(
  ctx: UvmServiceBlockContext,
  gpu: UvmParentGpu,
  keep: UvmVaBlock | undefined,
): boolean {
  const victim = gpu.pmm.pickVictim(keep, false);
  if (victim === undefined) return false;
  ctx.tools.counters.evictions++;
  ctx.done.evictions++;
  for (const block of victim.owners) evictBlock(ctx, gpu, block);
  return true;
}

/** Takes everything that a managed block has on `gpu` home. */
export function evictBlock(ctx: UvmServiceBlockContext, gpu: UvmParentGpu, block: UvmVaBlock): void {
  const own = gpu.evictionContext;
  const leaving = own.scratch.part;
  own.begin(UVM_MAKE_RESIDENT_CAUSE_EVICTION, ctx.hintTime);
  const pages = takeResident(block, gpu.id, leaving);
  if (pages > 0) {
    const value = packUvmEvent(0, gpu.id, UVM_ID_CPU);
    ctx.tools.record(UvmEventTypeEviction, ctx.hintTime, block.start, pages, value);
    ctx.tools.counters.evictedPages += pages;
    uvmVaBlockMakeResident(own, block, UVM_ID_CPU, leaving);
    addEvictionMappings(own, block);
    // What comes waits for what goes, and that for a host chunk that had to be zeroed.
    ctx.migrationTime += own.migrationTime - ctx.hintTime;
    ctx.done.copyNs += own.done.copyNs;
  } else if (maskNext(leaving, 0) < block.pages) {
    uvmVaBlockMakeResident(own, block, UVM_ID_CPU, leaving);
  }
  freeGpuChunks(ctx, block, gpu.id);
}

/**
 * All pages that the block has on GPU `id` are to leave: they are left in `leaving`, with the discarded ones that have no place,
 * which are on the CPU afterwards. What has copies elsewhere loses them all but the CPU's.
 * @returns how many the GPU has.
 * @uvm uvm_va_block.c uvm_va_block_evict_chunks (without: allocations that fail, access counters)
 */
function takeResident(block: UvmVaBlock, id: UvmProcessorId, leaving: UvmPageMask): number {
  const { row } = block;
  const own = rowOf(id);
  let pages = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const bits = row[own + ROW_RESIDENT + i] ?? 0;
    leaving[i] = bits | ((row[ROW_DISCARDED + i] ?? 0) & ~residentSomewhere(block, i));
    pages += hweight32(bits);
  }
  if (pages > 0) markEvicted(block, leaving);
  return pages;
}

/**
 * The pages of `leaving` that the CPU has not are evicted from every GPU that any of them is copied from: of several with a copy that is
 * the first, which need not be the one whose memory is short.
 * @uvm uvm_va_block.c block_make_resident_update_state (without: all but the evicted masks)
 */
function markEvicted(block: UvmVaBlock, leaving: UvmPageMask): void {
  const { processorCount, row } = block;
  const home = rowOf(UVM_ID_CPU) + ROW_RESIDENT;
  let sources = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    let left = (leaving[i] ?? 0) & ~(row[home + i] ?? 0);
    for (let id = UVM_ID_GPU; id < processorCount; id++) {
      const here = left & (row[rowOf(id) + ROW_RESIDENT + i] ?? 0);
      if (here !== 0) sources |= 1 << id;
      left &= ~here;
    }
  }
  for (let id = UVM_ID_GPU; id < processorCount; id++) {
    if (!processorIn(sources, id)) continue;
    const at = rowOf(id) + ROW_EVICTED;
    for (let i = 0; i < MASK_WORDS; i++)
      row[at + i] = (row[at + i] ?? 0) | ((leaving[i] ?? 0) & ~(row[home + i] ?? 0));
  }
}

/** The pages of word `i` of a mask that are resident somewhere. */
function residentSomewhere({ processorCount, row }: UvmVaBlock, i: number): number {
  let pages = 0;
  for (let id = 0; id < processorCount; id++) pages |= row[rowOf(id) + ROW_RESIDENT + i] ?? 0;
  return pages;
}

/**
 * Who is to keep a mapping gets one where the data is now: the processors that advice names of the whole block, and GPUs of what was
 * evicted from them where access counters can bring it back.
 * @uvm uvm_va_block.c block_add_eviction_mappings (without: the work item that does it later)
 */
function addEvictionMappings(own: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { accessedBy } = block.range.policy;
  for (let id = UVM_ID_CPU; id < block.processorCount; id++)
    if (processorIn(accessedBy, id)) uvmVaBlockSetAccessedBy(own, block, id);
  for (let id = UVM_ID_GPU; id < block.processorCount; id++) {
    if (processorIn(accessedBy, id) || !own.gpuOf(id).mapRemoteOnEviction) continue;
    const { part } = own.scratch;
    maskCopy(part, block.masks(id).evicted);
    maskAndNot(part, block.readDuplicated);
    uvmVaBlockAddMappings(own, block, id, part, UvmEventMapRemoteCauseEviction);
  }
}
