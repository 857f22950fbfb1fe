import type { ResidencyChanges } from '../tiles/residency-raster.js';

const INITIAL_CAPACITY = 1024;

/** Residency changes as they come, in columns that grow. */
export class ChangeLog {
  private length = 0;
  private time = new Float64Array(INITIAL_CAPACITY);
  private row = new Uint32Array(INITIAL_CAPACITY);
  private rows = new Uint32Array(INITIAL_CAPACITY);
  private state = new Uint8Array(INITIAL_CAPACITY);

  /** From `time` (ns) on, rows [row, row + rows) are in `state`. */
  note(time: number, row: number, rows: number, state: number): void {
    const at = this.length;
    if (at === this.time.length) this.grow();
    this.time[at] = time;
    this.row[at] = row;
    this.rows[at] = rows;
    this.state[at] = state;
    this.length = at + 1;
  }

  /** What was noted, trimmed. */
  changes(): ResidencyChanges {
    const n = this.length;
    return {
      length: n,
      time: this.time.slice(0, n),
      row: this.row.slice(0, n),
      rows: this.rows.slice(0, n),
      state: this.state.slice(0, n),
    };
  }

  private grow(): void {
    const capacity = this.time.length * 2;
    const { time, row, rows, state } = this;
    this.time = new Float64Array(capacity);
    this.row = new Uint32Array(capacity);
    this.rows = new Uint32Array(capacity);
    this.state = new Uint8Array(capacity);
    this.time.set(time);
    this.row.set(row);
    this.rows.set(rows);
    this.state.set(state);
  }
}
