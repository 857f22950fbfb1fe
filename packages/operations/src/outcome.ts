/** What an operation returned. */
export interface Outcome {
  /** 0, the signal that a CPU access raised, or a negative errno. */
  readonly rc: number;
  /** A value a page, where the operation returns any; -1 for an access that failed. */
  readonly values: readonly number[];
  /** Pages that a call to the driver says it handled, and fault rounds that it says it took. */
  readonly cpages: number;
  readonly faults: number;
  /** Statuses of work completions, where work was posted: of who posted it, and of who received. */
  readonly completions?: readonly number[];
  /** Why it failed, as a clause; undefined where the errno says it all. */
  readonly why?: string;
  /** Why it cannot be done at all, which ends a program whether or not it keeps the errno. */
  readonly problem?: string;
}

const NO_VALUES: readonly number[] = [];

/** What returned 0 and nothing else. */
export const DONE: Outcome = { rc: 0, values: NO_VALUES, cpages: 0, faults: 0 };

/** The outcome of a call that returns 0 or a negative errno. A positive result, such as an address, counts as 0. */
export function returned(rc: number): Outcome {
  return rc >= 0 ? DONE : { rc, values: NO_VALUES, cpages: 0, faults: 0 };
}

/** A failure for which the errno does not say enough. */
export function failedBecause(rc: number, why: string): Outcome {
  return { rc, values: NO_VALUES, cpages: 0, faults: 0, why };
}

/** What cannot be done at all. */
export function impossible(rc: number, problem: string): Outcome {
  return { rc, values: NO_VALUES, cpages: 0, faults: 0, problem };
}
