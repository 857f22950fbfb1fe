import type { UvmCosts } from './uvm-costs.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** Kinds of advice. Each has code of its own, which the first call finds cold. */
export const UVM_ADVICE_PREFERRED_LOCATION = 1;
export const UVM_ADVICE_ACCESSED_BY = 2;
export const UVM_ADVICE_READ_DUPLICATION = 4;

/** What an advice did: blocks cut in two, populated blocks gone through, and ns for their pages. */
export interface UvmAdviceWork {
  readonly cut: number;
  readonly blocks: number;
  readonly ns: number;
  /** The policy was another one before. */
  readonly changed: boolean;
}

/** ns of an advice of one kind (`UVM_ADVICE_*`). The space remembers the call. */
export function adviceTime(space: UvmVaSpace, kind: number, work: UvmAdviceWork): number {
  const { costs } = space.driver;
  const ns = costs.advise + costs.adviseCut * work.cut + work.ns + coldness(space, costs, kind, work);
  space.adviceKinds |= kind;
  space.callWarm = true;
  return ns;
}

function coldness(
  { adviceKinds, prefetches, callWarm }: UvmVaSpace,
  costs: UvmCosts,
  kind: number,
  { blocks, changed }: UvmAdviceWork,
): number {
  if (adviceKinds === 0) return prefetches === 0 ? costs.adviseFirst : costs.adviseFirstAfterPrefetch;
  let ns = 0;
  if ((adviceKinds & kind) === 0)
    ns += costs.adviseKindFirst + (blocks > 0 ? costs.adviseKindFirstPopulated : 0);
  if (callWarm || !changed) return ns;
  ns += costs.adviseCold;
  return kind === UVM_ADVICE_PREFERRED_LOCATION || blocks === 0 ? ns : ns + costs.adviseMapCold;
}
