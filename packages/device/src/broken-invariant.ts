/** A rule that a driver and its device are to keep, seen broken: told, not thrown, since the run goes on. */
export interface BrokenInvariant {
  /** Its name: `OI16`. */
  readonly invariant: string;
  /** What is broken, as a clause: of the first time. */
  readonly detail: string;
  /** How it came about the first time, a clause for each step; empty where the clause says it all. */
  readonly story: readonly string[];
  /** How often it was seen. */
  readonly times: number;
}
