import { median } from './times.js';

/**
 * How steps depend on figures: a row a step, a column a figure. What is found are relative changes of the figures.
 */
export interface LinearSteps {
  /** Relative error of each step as the figures are: predicted − measured, over measured. */
  readonly errors: Float64Array;
  /** By how much that grows as a figure grows by its own value: `slopes[step * columns + figure]`. */
  readonly slopes: Float64Array;
  readonly columns: number;
}

/** Rounds of weights. */
const ROUNDS = 30;
/** Errors below this weigh alike. */
const SMALL_ERROR = 1e-3;
/** Figures of another machine are taken to differ by about this part of themselves: what steps do not tell apart is held by that. */
const SPREAD = 0.5;

/**
 * The changes of figures with the least sum of absolute relative errors, by least squares with weights that follow the errors: a step
 * that nothing explains pulls no harder than another. Figures that steps do not tell apart share what they owe, near `before`.
 * @param before the changes made so far, from the values that were held to at first.
 * @param low and `high` bound the changes of this call.
 */
export function leastErrors(
  steps: LinearSteps,
  before: Float64Array,
  low: Float64Array,
  high: Float64Array,
): Float64Array {
  let change = new Float64Array(steps.columns);
  const left = Float64Array.from(steps.errors);
  for (let round = 0; round < ROUNDS; round++) {
    const hold = Math.max(median(Array.from(left, Math.abs)), SMALL_ERROR / 10) / SPREAD ** 2;
    change = boundedSolution(normalEquations(steps, weightsOf(left), before, hold), steps.columns, low, high);
    residuals(steps, change, left);
  }
  return change;
}

function weightsOf(left: Float64Array): Float64Array {
  return left.map((error) => 1 / Math.max(Math.abs(error), SMALL_ERROR));
}

interface Normal {
  readonly matrix: Float64Array;
  readonly right: Float64Array;
}

function normalEquations(
  { errors, slopes, columns }: LinearSteps,
  weights: Float64Array,
  before: Float64Array,
  hold: number,
): Normal {
  const matrix = new Float64Array(columns * columns);
  const right = before.map((change) => -hold * change);
  for (let i = 0; i < columns; i++) matrix[i * columns + i] = hold;
  for (const [step, error] of errors.entries()) {
    const row = slopes.subarray(step * columns, (step + 1) * columns);
    for (const [i, slope] of row.entries()) {
      if (slope === 0) continue;
      const weighted = slope * (weights[step] ?? 0);
      right[i] = (right[i] ?? 0) - weighted * error;
      for (const [j, other] of row.entries())
        matrix[i * columns + j] = (matrix[i * columns + j] ?? 0) + weighted * other;
    }
  }
  return { matrix, right };
}

/** Solves for all figures; those that leave their bounds are put there, and the others solved for again. */
function boundedSolution(
  { matrix, right }: Normal,
  columns: number,
  low: Float64Array,
  high: Float64Array,
): Float64Array<ArrayBuffer> {
  const change = new Float64Array(columns);
  let free = Array.from({ length: columns }, (_, i) => i);
  for (;;) {
    const rows = free.map((i) => {
      let value = right[i] ?? 0;
      for (let j = 0; j < columns; j++)
        if (!free.includes(j)) value -= (matrix[i * columns + j] ?? 0) * (change[j] ?? 0);
      return [...free.map((j) => matrix[i * columns + j] ?? 0), value];
    });
    for (const [at, value] of solution(rows).entries()) change[free[at] ?? 0] = value;
    const inside = free.filter((i) => {
      const value = change[i] ?? 0;
      change[i] = Math.min(high[i] ?? 0, Math.max(low[i] ?? 0, value));
      return change[i] === value;
    });
    if (inside.length === free.length) return change;
    free = inside;
  }
}

/** Solves a positive definite system, given as rows with the right side last, by elimination. */
function solution(rows: number[][]): number[] {
  const n = rows.length;
  for (const [at, pivot] of rows.entries()) {
    for (const row of rows.slice(at + 1)) {
      const factor = (row[at] ?? 0) / (pivot[at] ?? 1);
      if (factor === 0) continue;
      for (let k = at; k <= n; k++) row[k] = (row[k] ?? 0) - factor * (pivot[k] ?? 0);
    }
  }
  const values = new Array<number>(n).fill(0);
  for (let at = n - 1; at >= 0; at--) {
    const row = rows[at] ?? [];
    let value = row[n] ?? 0;
    for (let k = at + 1; k < n; k++) value -= (row[k] ?? 0) * (values[k] ?? 0);
    values[at] = value / (row[at] ?? 1);
  }
  return values;
}

function residuals({ errors, slopes, columns }: LinearSteps, change: Float64Array, left: Float64Array): void {
  for (const [step, error] of errors.entries()) {
    let sum = error;
    for (let i = 0; i < columns; i++) sum += (slopes[step * columns + i] ?? 0) * (change[i] ?? 0);
    left[step] = sum;
  }
}
