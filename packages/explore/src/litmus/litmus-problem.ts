import type { Span } from '@hmm/workload';

/** Something that a litmus test cannot say, and where. */
export class LitmusProblem extends Error {
  readonly span: Span;

  constructor(span: Span, message: string) {
    super(message);
    this.span = span;
  }
}
