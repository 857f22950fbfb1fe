import { hweight32 } from '@hmm/kernel/internal';
import { MASK_WORDS, maskAndNot, maskNext, type UvmPageMask } from './uvm-page-mask.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeEviction } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_EVICTION,
  type UvmProcessorId,
} from './uvm-types.js';
import { ROW_DISCARDED, ROW_EVICTED, ROW_RESIDENT, rowOf, type UvmVaBlock } from './uvm-va-block.js';
import { freeGpuChunks, uvmVaBlockMakeResident } from './uvm-va-block-make-resident.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';
import { policyAccessedBy } from './uvm-va-policy.js';
import {
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCauseEviction,
} from './uvm-types.js';

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
    restoreMappings(own, gpu, block, leaving);
    // What comes waits for what goes, and that for a host chunk that had to be zeroed.
    ctx.migrationTime += own.migrationTime - ctx.hintTime;
    ctx.done.copyNs += own.done.copyNs;
  } else if (maskNext(leaving, 0) < block.pages) {
    uvmVaBlockMakeResident(own, block, UVM_ID_CPU, leaving);
  }
  freeGpuChunks(ctx, block, gpu.id);
}

/**
 * All pages that the block has on GPU `id` are evicted: they are left in `leaving`, with the discarded ones that have no place,
 * which are on the CPU afterwards. @returns how many the GPU has.
 * @uvm uvm_va_block.c uvm_va_block_evict_chunks (without: allocations that fail, access counters)
 */
function takeResident(block: UvmVaBlock, id: UvmProcessorId, leaving: UvmPageMask): number {
  const { row } = block;
  const own = rowOf(id);
  let pages = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const bits = row[own + ROW_RESIDENT + i] ?? 0;
    leaving[i] = bits | ((row[ROW_DISCARDED + i] ?? 0) & ~residentSomewhere(block, i));
    if (bits === 0) continue;
    row[own + ROW_EVICTED + i] = (row[own + ROW_EVICTED + i] ?? 0) | bits;
    pages += hweight32(bits);
  }
  return pages;
}

/** The pages of word `i` of a mask that are resident somewhere. */
function residentSomewhere({ processorCount, row }: UvmVaBlock, i: number): number {
  let pages = 0;
  for (let id = 0; id < processorCount; id++) pages |= row[rowOf(id) + ROW_RESIDENT + i] ?? 0;
  return pages;
}

/**
 * A GPU that is to keep a mapping gets one of the evicted pages where they are now: one that advice names, and any where
 * access counters can bring the data back.
 */
function restoreMappings(
  own: UvmServiceBlockContext,
  gpu: UvmParentGpu,
  block: UvmVaBlock,
  leaving: UvmPageMask,
): void {
  const { policy } = block.range;
  maskAndNot(leaving, block.readDuplicated);
  for (let id = UVM_ID_GPU; id < block.processorCount; id++) {
    const advised = policyAccessedBy(policy, id) && policy.preferredLocation !== id;
    if (!advised && !(id === gpu.id && gpu.mapRemoteOnEviction)) continue;
    const native = own.links.nativeAtomics(id, UVM_ID_CPU);
    const prot = native ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
    uvmVaBlockMap(own, block, id, leaving, prot, UvmEventMapRemoteCauseEviction);
  }
}
