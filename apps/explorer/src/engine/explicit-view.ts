/** How runs compare with the same program with explicit memory: a sentence a run, or why there is none. */
export interface ExplicitView {
  readonly says: readonly string[];
  /** `''` where there are sentences. */
  readonly why: string;
}
