import { declareState } from '@hmm/kernel/internal';
import type { GpuPageTable } from './page-table.js';

/**
 * A channel's context on the GPU: what a fault record's instance pointer names. Several may share an address space,
 * that is, a page table.
 */
export class GpuInstance {
  /** What of it is state. */
  static readonly state = declareState({
    id: 'constant',
    table: 'constant',
    dead: 'value',
  });

  readonly id: number;
  readonly table: GpuPageTable;
  /** Its channels were torn down: faults that name it are stale. */
  dead = false;

  constructor(id: number, table: GpuPageTable) {
    this.id = id;
    this.table = table;
  }
}
