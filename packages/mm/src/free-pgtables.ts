import { accessTables } from './observe.js';
import { ENTRY_TABLE, LEVEL_PTE, entryPages } from '@hmm/kernel/internal';
import type { MmStruct } from './mm-struct.js';

/**
 * Frees the page tables that served only the pages [start, end), which no VMA covers any more: those whose whole span
 * lies between `floor` (the end of the VMA before) and `ceiling` (the start of the VMA behind).
 * @kernel mm/memory.c free_pgtables (without: freeing of tables after the TLB flush, runs of neighbouring
 * VMAs)
 */
export function freePgtables(mm: MmStruct, start: number, end: number, floor: number, ceiling: number): void {
  accessTables(mm, true);
  freeBelow(mm, mm.root, mm.system.tables.levels, 0, { start, end, floor, ceiling });
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly floor: number;
  readonly ceiling: number;
}

/**
 * Frees what it may below `table`, whose first entry is for page `base`.
 * @kernel mm/memory.c free_pgd_range (without: freeing of tables after the TLB flush)
 */
function freeBelow(mm: MmStruct, table: number, level: number, base: number, span: Span): void {
  const { tables } = mm.system;
  const { lanes } = tables;
  const size = entryPages(level);
  const first = Math.max(0, Math.floor((span.start - base) / size));
  const last = Math.min(511, Math.floor((span.end - 1 - base) / size));
  for (let index = first; index <= last; index++) {
    const entry = table + 2 * index;
    if (lanes[entry] !== ENTRY_TABLE) continue;
    const child = lanes[entry + 1] ?? 0;
    const at = base + index * size;
    if (level - 1 > LEVEL_PTE) freeBelow(mm, child, level - 1, at, span);
    if (at < span.floor || at + size > span.ceiling) continue;
    lanes[entry] = 0;
    lanes[entry + 1] = 0;
    tables.free(child);
  }
}
