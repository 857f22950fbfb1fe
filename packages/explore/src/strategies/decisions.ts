/** What a saved {@link Decisions} holds. */
export interface DecisionsState {
  readonly values: readonly number[];
  readonly options: readonly number[];
}

/**
 * The decisions inside steps (which allocation fails …) of a depth-first search: the ones of the present execution,
 * in order, each with its number of options.
 */
export class Decisions {
  /** Decisions made so far in all steps that are on the stack. */
  count = 0;
  private at = 0;
  private readonly values: number[] = [];
  private readonly options: number[] = [];

  /** Starts an execution: the decisions on the stack are made again first. */
  begin(): void {
    this.at = 0;
  }

  /** The next decision: the one made before, or 0 the first time. */
  choose(options: number): number {
    if (this.at === this.count) {
      this.values[this.at] = 0;
      this.options[this.at] = options;
      this.count++;
    }
    return this.values[this.at++] ?? 0;
  }

  /** Moves to the next combination of the decisions from index `from` on; false when there is none (they are gone). */
  advance(from: number): boolean {
    for (let i = this.count - 1; i >= from; i--) {
      const next = (this.values[i] ?? 0) + 1;
      if (next < (this.options[i] ?? 0)) {
        this.values[i] = next;
        this.count = i + 1;
        return true;
      }
    }
    this.count = from;
    return false;
  }

  /** A copy of the state, or of the first `count` decisions, for {@link restore}. */
  save(count = this.count): DecisionsState {
    return { values: this.values.slice(0, count), options: this.options.slice(0, count) };
  }

  /** Sets the state back to a saved one. */
  restore(state: DecisionsState): void {
    for (const [i, value] of state.values.entries()) {
      this.values[i] = value;
      this.options[i] = state.options[i] ?? 0;
    }
    this.count = state.values.length;
  }
}
