// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { isControl } from './program/control.js';
export { type ExplicitProgram, withExplicitMemory } from './program/with-explicit.js';
export { allocates, withMemory } from './program/with-memory.js';
export {
  type RecordedKernel,
  RecordedRun,
  type RecordedTotals,
  type RecordedTransfer,
  type RecordedWay,
} from './readers/recorded-run.js';
export {
  evaluate,
  evaluateNumber,
  isProblem,
  type Expr,
  type Problem,
  type Scope,
  type Value,
} from '@hmm/operations';
export { orderPages, type Range } from '@hmm/operations/internal';
export { tokenPatterns, type TokenPattern } from './program/highlight.js';
export { grammarRules, type GrammarRule } from './program/grammar-text.js';
