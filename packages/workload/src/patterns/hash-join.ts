import { ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import { mixBelow } from './mix.js';
import type { PatternBatch } from './pattern.js';
import { RowPattern, writeAccess } from './row-pattern.js';

/** One pass of a hash join over a table. */
export interface HashJoinShape {
  /** Pages of the table that is read in order. */
  readonly tablePages: number;
  /** Pages of the hash table. */
  readonly hashPages: number;
  /** Hash buckets touched per page of the table. Default 16. */
  readonly bucketsPerPage?: number;
  /** Regions: table, hash table, output. Default 0, 1, 2. */
  readonly regions?: readonly [table: number, hash: number, output: number];
  /** Pages of the output that a probe writes, in order. */
  readonly outputPages?: number;
}

/** The build pass: reads the table in order and writes buckets at random. */
export class HashBuild extends RowPattern {
  readonly name = 'hash build';
  private readonly shape: HashJoinShape;
  private readonly group: number;

  constructor(shape: HashJoinShape) {
    const group = 1 + (shape.bucketsPerPage ?? 16);
    super(shape.tablePages * group);
    this.shape = shape;
    this.group = group;
  }

  protected access(batch: PatternBatch, row: number, index: number, seed: number): void {
    const [table, hash] = this.shape.regions ?? [0, 1, 2];
    if (index % this.group === 0) writeAccess(batch, row, table, index / this.group, ACCESS_READ);
    else writeAccess(batch, row, hash, mixBelow(seed, index, this.shape.hashPages), ACCESS_WRITE);
  }
}

/** The probe pass: reads the other table in order and buckets at random, and writes matches in order. */
export class HashProbe extends RowPattern {
  readonly name = 'hash probe';
  private readonly shape: HashJoinShape;
  private readonly group: number;

  constructor(shape: HashJoinShape) {
    const group = 2 + (shape.bucketsPerPage ?? 16);
    super(shape.tablePages * group);
    this.shape = shape;
    this.group = group;
  }

  protected access(batch: PatternBatch, row: number, index: number, seed: number): void {
    const { tablePages, hashPages, outputPages = tablePages } = this.shape;
    const [table, hash, output] = this.shape.regions ?? [0, 1, 2];
    const at = Math.floor(index / this.group);
    const step = index % this.group;
    if (step === 0) writeAccess(batch, row, table, at, ACCESS_READ);
    else if (step < this.group - 1)
      writeAccess(batch, row, hash, mixBelow(seed, index, hashPages), ACCESS_READ);
    else writeAccess(batch, row, output, Math.floor((at * outputPages) / tablePages), ACCESS_WRITE);
  }
}
