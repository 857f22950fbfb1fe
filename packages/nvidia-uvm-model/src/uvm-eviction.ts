import { hweight32 } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import { MASK_WORDS, maskAndNot, maskNext, newMask } from './uvm-page-mask.js';
import type { UvmServiceContext } from './uvm-service-context.js';
import { packUvmEvent, UvmEventTypeEviction } from './uvm-tools.js';
import { UVM_ID_CPU, UVM_ID_GPU, UVM_MAKE_RESIDENT_CAUSE_EVICTION } from './uvm-types.js';
import {
  ROW_CPU_RESIDENT,
  ROW_DISCARDED,
  ROW_EVICTED,
  ROW_GPU_RESIDENT,
  type UvmVaBlock,
} from './uvm-va-block.js';
import { freeGpuChunks, uvmVaBlockMakeResident } from './uvm-va-block-make-resident.js';
import { uvmVaBlockMap } from './uvm-va-block-map.js';
import { policyAccessedBy } from './uvm-va-policy.js';
import {
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCauseEviction,
} from './uvm-types.js';

const leaving = newMask();

/**
 * Evicts one root chunk (`uvm_pmm_gpu_evict`): every block that owns a part of it moves home to the CPU. `keep` is the
 * block that needs the memory; its own chunk is passed over. @returns false when nothing can be evicted.
 */
export function evictOne(driver: UvmDriver, ctx: UvmServiceContext, keep: UvmVaBlock | undefined): boolean {
  const victim = driver.pmm.pickVictim(keep, false);
  if (victim === undefined) return false;
  driver.tools.counters.evictions++;
  ctx.evictions++;
  for (const block of victim.owners) evictBlock(driver, ctx, block);
  return true;
}

/** Takes everything that a managed block has on the GPU home. */
export function evictBlock(driver: UvmDriver, ctx: UvmServiceContext, block: UvmVaBlock): void {
  const own = driver.evictionContext;
  own.begin(UVM_MAKE_RESIDENT_CAUSE_EVICTION, ctx.hintTime);
  const pages = takeResident(block);
  if (pages > 0) {
    const value = packUvmEvent(0, UVM_ID_GPU, UVM_ID_CPU);
    driver.tools.record(UvmEventTypeEviction, ctx.hintTime, block.start, pages, value);
    driver.tools.counters.evictedPages += pages;
    uvmVaBlockMakeResident(driver, own, block, UVM_ID_CPU, leaving);
    restoreMappings(driver, own, block);
    // What comes waits for what goes, and that for a host chunk that had to be zeroed.
    ctx.migrationTime += own.migrationTime - ctx.hintTime;
    ctx.copyNs += own.copyNs;
  } else if (maskNext(leaving, 0) < block.pages) {
    uvmVaBlockMakeResident(driver, own, block, UVM_ID_CPU, leaving);
  }
  freeGpuChunks(driver, block);
}

/**
 * All pages that the block has on the GPU are evicted: they are left in `leaving`, with the discarded ones that have no place,
 * which are on the CPU afterwards. @returns how many the GPU has.
 * @uvm uvm_va_block.c uvm_va_block_evict_chunks
 */
function takeResident(block: UvmVaBlock): number {
  const { row } = block;
  let pages = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const bits = row[ROW_GPU_RESIDENT + i] ?? 0;
    leaving[i] = bits | ((row[ROW_DISCARDED + i] ?? 0) & ~(row[ROW_CPU_RESIDENT + i] ?? 0));
    if (bits === 0) continue;
    row[ROW_EVICTED + i] = (row[ROW_EVICTED + i] ?? 0) | bits;
    pages += hweight32(bits);
  }
  return pages;
}

/**
 * A GPU that is to keep a mapping gets one of the evicted pages where they are now: one that advice names, and any where
 * access counters can bring the data back.
 */
function restoreMappings(driver: UvmDriver, own: UvmServiceContext, block: UvmVaBlock): void {
  const { policy } = block.range;
  const advised = policyAccessedBy(policy, UVM_ID_GPU) && policy.preferredLocation !== UVM_ID_GPU;
  if (!advised && !driver.mapRemoteOnEviction) return;
  maskAndNot(leaving, block.readDuplicated);
  const native = driver.nativeAtomics(UVM_ID_GPU, UVM_ID_CPU);
  const prot = native ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
  const cause = UvmEventMapRemoteCauseEviction;
  uvmVaBlockMap(driver, own, block, UVM_ID_GPU, UVM_ID_CPU, leaving, prot, cause);
}
