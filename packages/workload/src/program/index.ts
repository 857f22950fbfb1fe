export * from './ast.js';
export { checkProgram, DEFAULT_DEVICE, MAIN_PROCESS } from './check.js';
export { isControl } from './control.js';
export { formatProgram, formatStatement, formatStatements } from './format.js';
export { type ClassifiedToken, tokenize, type TokenClass } from './highlight.js';
export { parseProgram, type ParseResult } from './parse.js';
export { allocates, withMemory } from './with-memory.js';
export {
  evaluate,
  evaluateNumber,
  type Expr,
  formatExpr,
  isProblem,
  type OperationStatement,
  type Problem,
  type Scope,
  type Value,
} from '@hmm/operations';
export {
  type AccessWord,
  type BinaryOp,
  formatRange,
  type Madvice,
  type MemoryKind,
  type Name,
  orderPages,
  PRECEDENCE,
  type Protection,
  type Query,
  type Range,
  type Results,
  type Span,
  type Unit,
} from '@hmm/operations/internal';
