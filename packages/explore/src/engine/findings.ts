import type { ExplorerState } from './explorer.js';
import { mergeExplorations, type Subtree } from './subtree.js';

/** What was found so far, as plain data: by a search, or by several that have explored parts of one. */
export interface Findings {
  readonly found: ExplorerState;
  /** As `SearchResult.states`. */
  readonly states: number;
  readonly seconds: number;
  /** Whether nothing is left to be explored. */
  readonly complete: boolean;
}

/** Findings, and the parts that nobody has explored: an exploration in the middle, which others go on with. */
export interface SavedSearch extends Findings {
  readonly left: readonly Subtree[];
}

/** Those of several parts of one exploration as one. */
export function mergeFindings(parts: readonly Findings[]): Findings {
  return {
    found: mergeExplorations(parts.map(({ found }) => found)),
    states: parts.reduce((sum, { states }) => sum + states, 0),
    seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0),
    complete: parts.every(({ complete }) => complete),
  };
}
