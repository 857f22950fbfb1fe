import { ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import type { PatternBatch } from './pattern.js';
import { PAGE_BYTES, RowPattern, writeAccess } from './row-pattern.js';

/** A product C = A · B, computed tile by tile. */
export interface TiledMatmulShape {
  /** Rows of A and C. */
  readonly rows: number;
  /** Columns of B and C. Default: rows. */
  readonly columns?: number;
  /** Columns of A and rows of B. Default: rows. */
  readonly inner?: number;
  /** Elements along a tile's side. Default 32. */
  readonly tile?: number;
  /** Bytes of an element. Default 4. */
  readonly elementBytes?: number;
  /** Regions of A, B and C. Default 0, 1, 2. */
  readonly regions?: readonly [a: number, b: number, c: number];
}

/**
 * Tiled matrix multiply: for each tile of C, the rows of each pair of tiles of A and B, then the rows of C's tile. An access is
 * one row of one tile (a tile is at most a page wide); row-major matrices.
 */
export class TiledMatmul extends RowPattern {
  readonly name = 'tiled matrix multiply';
  private readonly tile: number;
  private readonly element: number;
  private readonly across: number;
  private readonly steps: number;
  private readonly columns: number;
  private readonly inner: number;
  private readonly regions: readonly [a: number, b: number, c: number];

  constructor(shape: TiledMatmulShape) {
    const { rows, columns = rows, inner = rows, tile = 32 } = shape;
    const across = Math.ceil(columns / tile);
    const steps = Math.ceil(inner / tile);
    super(Math.ceil(rows / tile) * across * (steps * 2 + 1) * tile);
    this.tile = tile;
    this.element = shape.elementBytes ?? 4;
    this.across = across;
    this.steps = steps;
    this.columns = columns;
    this.inner = inner;
    this.regions = shape.regions ?? [0, 1, 2];
  }

  protected access(batch: PatternBatch, row: number, index: number): void {
    const { tile, steps, across, inner, columns } = this;
    const perTile = (steps * 2 + 1) * tile;
    const block = Math.floor(index / perTile);
    const up = Math.floor(block / across) * tile;
    const left = (block % across) * tile;
    const inBlock = index % perTile;
    const step = Math.floor(inBlock / (2 * tile)) * tile;
    const line = inBlock % tile;
    const [a, b, c] = this.regions;
    if (inBlock >= steps * 2 * tile)
      writeAccess(batch, row, c, this.page(up + line, left, columns), ACCESS_WRITE);
    else if (Math.floor(inBlock / tile) % 2 === 0)
      writeAccess(batch, row, a, this.page(up + line, step, inner), ACCESS_READ);
    else writeAccess(batch, row, b, this.page(step + line, left, columns), ACCESS_READ);
  }

  private page(line: number, column: number, columns: number): number {
    return Math.floor(((line * columns + column) * this.element) / PAGE_BYTES);
  }
}

/**
 * A walk over a row-major matrix. By `rows` it is streaming. By `columns` it is what a kernel does whose thread `i` runs
 * along row `i`: all threads are at the same column, so every row's page is touched before any row's next page.
 */
export class MatrixWalk extends RowPattern {
  readonly name: string;
  private readonly region: number;
  private readonly rows: number;
  private readonly rowBytes: number;
  private readonly byColumns: boolean;
  private readonly kind: number;
  private readonly perRow: number;

  constructor(shape: {
    region?: number;
    rows: number;
    rowBytes: number;
    order: 'rows' | 'columns';
    kind?: number;
  }) {
    const perRow = Math.ceil(shape.rowBytes / PAGE_BYTES);
    super(shape.rows * perRow);
    this.region = shape.region ?? 0;
    this.rows = shape.rows;
    this.rowBytes = shape.rowBytes;
    this.byColumns = shape.order === 'columns';
    this.kind = shape.kind ?? ACCESS_READ;
    this.perRow = perRow;
    this.name = `matrix by ${shape.order}`;
  }

  protected access(batch: PatternBatch, row: number, index: number): void {
    const { rows, perRow, byColumns } = this;
    const line = byColumns ? index % rows : Math.floor(index / perRow);
    const step = byColumns ? Math.floor(index / rows) : index % perRow;
    const byte = line * this.rowBytes + Math.min(step * PAGE_BYTES, this.rowBytes - 1);
    writeAccess(batch, row, this.region, Math.floor(byte / PAGE_BYTES), this.kind);
  }
}

/**
 * One anti-diagonal of square blocks, as dynamic programming over a matrix goes: each block's rows are read from the
 * first region, then read and written in the second.
 */
export class AntiDiagonal extends RowPattern {
  readonly name: string;
  private readonly diagonal: number;
  private readonly firstRow: number;
  private readonly block: number;
  private readonly rowBytes: number;
  private readonly regions: readonly [read: number, written: number];

  /** `blocks` blocks along the side, of `block` 4-byte elements; diagonals count from 0 to 2 · blocks - 2. */
  constructor(shape: {
    blocks: number;
    block: number;
    diagonal: number;
    rowBytes: number;
    regions?: readonly [number, number];
  }) {
    const { blocks, diagonal } = shape;
    const count = diagonal < blocks ? diagonal + 1 : 2 * blocks - 1 - diagonal;
    super(count * shape.block * 3);
    this.diagonal = diagonal;
    this.firstRow = Math.max(0, diagonal - blocks + 1);
    this.block = shape.block;
    this.rowBytes = shape.rowBytes;
    this.regions = shape.regions ?? [0, 1];
    this.name = `anti-diagonal ${diagonal}`;
  }

  protected access(batch: PatternBatch, row: number, index: number): void {
    const perBlock = this.block * 3;
    const blockRow = this.firstRow + Math.floor(index / perBlock);
    const inBlock = index % perBlock;
    const line = blockRow * this.block + Math.floor(inBlock / 3);
    const byte = line * this.rowBytes + (this.diagonal - blockRow) * this.block * 4;
    const step = inBlock % 3;
    const page = Math.floor(byte / PAGE_BYTES);
    writeAccess(batch, row, this.regions[step === 0 ? 0 : 1], page, step === 2 ? ACCESS_WRITE : ACCESS_READ);
  }
}
