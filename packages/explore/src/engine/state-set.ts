/** A set of 64-bit hashes, each with a small number, in open addressing. */
export class StateSet {
  /** Hashes in the set. */
  size = 0;
  private low = new Int32Array(1024);
  private high = new Int32Array(1024);
  /** The number + 1; 0 for a free cell. */
  private value = new Int32Array(1024);

  /** The number kept with a hash, or -1. */
  get(low: number, high: number): number {
    return (this.value[this.find(low, high)] ?? 0) - 1;
  }

  /** Keeps `value` (0 or more) with a hash. */
  set(low: number, high: number, value: number): void {
    const at = this.find(low, high);
    if (this.value[at] === 0) {
      this.low[at] = low;
      this.high[at] = high;
      this.size++;
    }
    this.value[at] = value + 1;
    if (2 * this.size > this.low.length) this.grow();
  }

  /** Forgets everything. */
  clear(): void {
    this.value.fill(0);
    this.size = 0;
  }

  private find(low: number, high: number): number {
    const mask = this.low.length - 1;
    let at = low & mask;
    while (this.value[at] !== 0 && (this.low[at] !== low || this.high[at] !== high)) at = (at + 1) & mask;
    return at;
  }

  private grow(): void {
    const { low, high, value } = this;
    this.low = new Int32Array(2 * low.length);
    this.high = new Int32Array(2 * low.length);
    this.value = new Int32Array(2 * low.length);
    for (let i = 0; i < low.length; i++) {
      if (value[i] === 0) continue;
      const at = this.find(low[i] ?? 0, high[i] ?? 0);
      this.low[at] = low[i] ?? 0;
      this.high[at] = high[i] ?? 0;
      this.value[at] = value[i] ?? 0;
    }
  }
}
