import { maskCopy, maskZero } from './uvm-page-mask.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { UVM_ID_GPU } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { freeGpuChunks } from './uvm-va-block-make-resident.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';

/**
 * Undoes everything a block holds.
 * @uvm uvm_va_block.c uvm_va_block_kill (without: page tables that go, trackers of pushes)
 */
export function uvmVaBlockKill(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { part } = ctx.scratch;
  maskZero(block.cpu.resident);
  for (let id = UVM_ID_GPU; id < block.processorCount; id++) {
    maskCopy(part, block.masks(id).read);
    uvmVaBlockUnmap(ctx, block, id, part);
    maskZero(block.masks(id).resident);
    freeGpuChunks(ctx, block, id);
  }
  if (block.cpuBase >= 0) ctx.cpuChunks.release(block.cpuBase, block.pages);
  block.cpuBase = -1;
  block.thrashing = undefined;
}
