import { GpuPageTable } from './page-table.js';

/** An address space on the GPU: what a fault record's instance pointer names. */
export class GpuInstance {
  readonly id: number;
  readonly table: GpuPageTable;
  /** Its channels were torn down: faults that name it are stale. */
  dead = false;

  constructor(id: number, maxTables?: number) {
    this.id = id;
    this.table = new GpuPageTable(maxTables);
  }
}
