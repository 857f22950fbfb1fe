export * from './ast.js';
export { checkProgram, DEFAULT_DEVICE, MAIN_PROCESS } from './check.js';
export { evaluate, evaluateNumber, isProblem, type Problem, type Scope, type Value } from './evaluate.js';
export { formatExpr, formatProgram, formatRange, formatStatement, formatStatements } from './format.js';
export { type ClassifiedToken, tokenize, type TokenClass } from './highlight.js';
export { orderPages } from './order.js';
export { parseProgram, type ParseResult } from './parse.js';
export { allocates, withMemory } from './with-memory.js';
