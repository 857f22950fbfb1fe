import type { MmStruct } from './mm-struct.js';

/** Pages of user address space: one less than 2^35 with 4 levels, than 2^44 with 5. @kernel arch/x86/include/asm/page_64_types.h TASK_SIZE_MAX */
export function taskSize(mm: MmStruct): number {
  return 2 ** (mm.system.tables.levels === 5 ? 44 : 35) - 1;
}

/** Whether [start, start + pages) is empty, wraps, or leaves the user address space. */
export function badRange(mm: MmStruct, start: number, pages: number): boolean {
  return !(start >= 0 && pages > 0 && start + pages <= taskSize(mm));
}

/** Whether the end of [start, start + pages) is beyond the last of 2^64 bytes. */
export function wraps(start: number, pages: number): boolean {
  return start + pages > 2 ** 52;
}
