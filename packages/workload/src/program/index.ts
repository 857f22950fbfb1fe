export * from './ast.js';
export { checkProgram, DEFAULT_DEVICE, MAIN_PROCESS } from './check.js';
export { isControl } from './control.js';
export { formatProgram, formatStatement, formatStatements } from './format.js';
export { type ClassifiedToken, tokenize, type TokenClass } from './highlight.js';
export { parseProgram, type ParseResult } from './parse.js';
export { allocates, withMemory } from './with-memory.js';
export {
  type AccessWord,
  type BinaryOp,
  evaluate,
  evaluateNumber,
  type Expr,
  formatExpr,
  formatRange,
  isProblem,
  type Madvice,
  type MemoryKind,
  type Name,
  type OperationStatement,
  orderPages,
  PRECEDENCE,
  type Problem,
  type Protection,
  type Query,
  type Range,
  type Results,
  type Scope,
  type Span,
  type Unit,
  type Value,
} from '@hmm/operations';
