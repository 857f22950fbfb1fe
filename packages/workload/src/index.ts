export {
  formatSourceError,
  type ControlStatement,
  type DeviceDecl,
  type FinalCondition,
  type ProgramFile,
  type Setting,
  type SourceError,
  type Statement,
  type ThreadDecl,
} from './program/ast.js';
export { DEFAULT_DEVICE, MAIN_PROCESS, checkProgram } from './program/check.js';
export { formatProgram, formatStatement } from './program/format.js';
export { tokenize, type ClassifiedToken, type TokenClass } from './program/highlight.js';
export { parseProgram, type ParseResult } from './program/parse.js';
