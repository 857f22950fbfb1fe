import type { SourceError } from '@hmm/workload';

/** What is wrong with an input. */
export interface Problem {
  readonly message: string;
  /** Where in the text, counted from 1; absent where it is not about a place in it. */
  readonly line?: number;
  readonly column?: number;
}

/** Nothing was run, since something in the input is wrong. */
export interface Refusal {
  readonly outcome: 'refused';
  /** At least one. */
  readonly problems: readonly Problem[];
}

/** A refusal for one reason that has no place in a text. */
export function refusedBy(message: string): Refusal {
  return { outcome: 'refused', problems: [{ message }] };
}

/** A refusal for what is wrong in a text. */
export function refusedFor(errors: readonly SourceError[]): Refusal {
  return {
    outcome: 'refused',
    problems: errors.map(({ message, line, column }) => ({ message, line, column })),
  };
}
