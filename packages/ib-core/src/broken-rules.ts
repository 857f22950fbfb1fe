import type { BrokenInvariant } from '@hmm/device';
import { declareState } from '@hmm/kernel/internal';

/** What a device was seen to break of its own invariants: of each the first time as a story, and how often. */
export class BrokenRules {
  /** What of it is state. */
  static readonly state = declareState({ byName: 'constant' });

  private readonly byName = new Map<string, BrokenInvariant>();

  /**
   * Something is broken; the run goes on.
   * @param detail what, as a clause.
   * @param story how it came about, a clause for each step.
   */
  tell(invariant: string, detail: string, story: readonly string[] = []): void {
    const first = this.byName.get(invariant) ?? { invariant, detail, story, times: 0 };
    this.byName.set(invariant, { ...first, times: first.times + 1 });
  }

  /** All of it, in the order in which it was seen first. */
  list(): readonly BrokenInvariant[] {
    return [...this.byName.values()];
  }
}
