import { declareState } from './state.js';

const WORD_BITS = 32;

/**
 * Which lock class was taken under which, and what follows from it: two square matrices of bits with a row and a column for each
 * class, which grow with the number of classes.
 */
export class LockOrder {
  /** What of it is state. */
  static readonly state = declareState({
    classes: 'count',
    width: 'count',
    inner: 'value',
    below: { saved: 'follows from `inner`' },
  });

  private classes = 0;
  /** Words in a row. */
  private width = 0;
  /** Row `outer`: the classes taken while it was held. */
  private inner = new Int32Array(0);
  /** Row `outer`: the classes that can be reached from it over any number of such steps. */
  private below = new Int32Array(0);

  /** Makes room for `classes` classes. What was recorded stays. */
  setClasses(classes: number): void {
    if (classes > this.width * WORD_BITS) {
      const width = Math.max(1, 2 * this.width);
      this.inner = widened(this.inner, this.width, width);
      this.below = widened(this.below, this.width, width);
      this.width = width;
    }
    this.classes = classes;
  }

  /** Whether `inner` was taken while `outer` was held. */
  has(outer: number, inner: number): boolean {
    return this.bit(this.inner, outer, inner);
  }

  /** Records that `inner` is taken while `outer` is held. @returns whether that contradicts nothing recorded before. */
  add(outer: number, inner: number): boolean {
    const { below, width } = this;
    if (outer === inner || this.bit(below, inner, outer)) return false;
    this.set(this.inner, outer, inner);
    for (let above = 0; above < this.classes; above++) {
      if (above !== outer && !this.bit(below, above, outer)) continue;
      for (let word = 0; word < width; word++)
        below[above * width + word] = (below[above * width + word] ?? 0) | (below[inner * width + word] ?? 0);
      this.set(below, above, inner);
    }
    return true;
  }

  /** Forgets all that was recorded. */
  clear(): void {
    this.inner.fill(0);
    this.below.fill(0);
  }

  private bit(rows: Int32Array, row: number, column: number): boolean {
    return ((rows[row * this.width + (column >> 5)] ?? 0) & (1 << (column & 31))) !== 0;
  }

  private set(rows: Int32Array, row: number, column: number): void {
    const at = row * this.width + (column >> 5);
    rows[at] = (rows[at] ?? 0) | (1 << (column & 31));
  }
}

/** A copy of rows of `width` words with rows of `wider` words, and as many more of them. */
function widened(rows: Int32Array, width: number, wider: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(wider * WORD_BITS * wider);
  for (let row = 0; row < width * WORD_BITS; row++)
    copy.set(rows.subarray(row * width, (row + 1) * width), row * wider);
  return copy;
}
