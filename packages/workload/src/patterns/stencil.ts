import { ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import type { PatternBatch } from './pattern.js';
import { PAGE_BYTES, RowPattern, writeAccess } from './row-pattern.js';

/** A grid and its neighbours in memory. */
export interface StencilShape {
  /** Bytes of the whole grid. */
  readonly bytes: number;
  /** Bytes from one row to the next. */
  readonly rowBytes: number;
  /** Bytes from one plane to the next, in three dimensions. */
  readonly planeBytes?: number;
  /** Regions that are read with their neighbours. Default: region 0. */
  readonly inputs?: readonly number[];
  /** Regions that are read at the same place only, such as coefficients. */
  readonly alongside?: readonly number[];
  /** Regions that are written. Default: region 1. */
  readonly outputs?: readonly number[];
}

/**
 * One sweep of a stencil: for each page of the grid, the pages of its neighbours above and below (and in the planes before and
 * behind), the page itself, what is read alongside, then the page written. At the grid's edges the edge page stands in for
 * the neighbour that is not there.
 */
export class Stencil extends RowPattern {
  readonly name: string;
  /** Per step at one page: region, byte distance, kind. */
  private readonly steps: readonly (readonly [region: number, distance: number, kind: number])[];
  private readonly lastPage: number;

  constructor(shape: StencilShape) {
    const { rowBytes, planeBytes, inputs = [0], alongside = [], outputs = [1] } = shape;
    const planes = planeBytes === undefined ? [] : [-planeBytes, planeBytes];
    const distances = [...planes, -rowBytes, rowBytes, 0];
    const steps = [
      ...inputs.flatMap((region) => distances.map((distance) => [region, distance, ACCESS_READ] as const)),
      ...alongside.map((region) => [region, 0, ACCESS_READ] as const),
      ...outputs.map((region) => [region, 0, ACCESS_WRITE] as const),
    ];
    const pages = Math.ceil(shape.bytes / PAGE_BYTES);
    super(pages * steps.length);
    this.steps = steps;
    this.lastPage = pages - 1;
    this.name = planeBytes === undefined ? 'stencil 2D' : 'stencil 3D';
  }

  protected access(batch: PatternBatch, row: number, index: number): void {
    const { steps, lastPage } = this;
    const step = steps[index % steps.length];
    if (step === undefined) return;
    const place = Math.floor(index / steps.length) * PAGE_BYTES + step[1];
    writeAccess(
      batch,
      row,
      step[0],
      Math.min(lastPage, Math.max(0, Math.floor(place / PAGE_BYTES))),
      step[2],
    );
  }
}
