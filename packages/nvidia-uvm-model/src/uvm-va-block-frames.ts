import { UVM_ID_CPU, type UvmProcessorId } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';

/** The frame that a page has on a processor. */
export function frameOn(block: UvmVaBlock, id: UvmProcessorId, page: number): number {
  return id === UVM_ID_CPU ? block.cpuFrame(page) : block.gpuState(id).frame(page);
}

/** The page, at most `outer`, after those from `page` on whose frames on a processor follow each other. */
export function framesInRow(block: UvmVaBlock, id: UvmProcessorId, page: number, outer: number): number {
  if (id === UVM_ID_CPU) return outer;
  const state = block.gpuState(id);
  if (state.base >= 0) return outer;
  const first = state.frame(page);
  let end = page + 1;
  while (end < outer && state.frame(end) === first + end - page) end++;
  return end;
}
