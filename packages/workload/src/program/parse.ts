import { EOF, Lexer, type IRecognitionException } from 'chevrotain';
import type { ProgramFile, SourceError } from './ast.js';
import { checkProgram } from './check.js';
import { ProgramParser } from './program-parser.js';
import { TOKENS } from './tokens.js';

/** What {@link parseProgram} found. */
export type ParseResult =
  | { readonly ok: true; readonly program: ProgramFile }
  | { readonly ok: false; readonly errors: readonly SourceError[] };

const lexer = new Lexer(TOKENS, {
  positionTracking: 'full',
  errorMessageProvider: {
    buildUnexpectedCharactersMessage: (text, at) => `'${text.charAt(at)}' means nothing here`,
    buildUnableToPopLexerModeMessage: () => 'no such mode',
  },
});

/** Made at the first use: analysing the grammar takes a while. */
let analysed: ProgramParser | undefined;

/**
 * Reads a program or a litmus test. Syntax stops at the first error; names, units and tables are then checked all
 * through, so that several errors may come back. Never throws for any text.
 * @param file the name that errors carry, and the program's name where the text gives none.
 */
export function parseProgram(text: string, file: string): ParseResult {
  const lexed = lexer.tokenize(text);
  const wrong = lexed.errors[0];
  if (wrong !== undefined) {
    return failed({ file, line: wrong.line ?? 1, column: wrong.column ?? 1, message: wrong.message });
  }
  const parser = (analysed ??= new ProgramParser());
  parser.input = lexed.tokens;
  parser.tableErrors.length = 0;
  const program = parser.programFile();
  const error = parser.errors[0];
  if (error !== undefined) return failed({ file, ...placeOf(error, text), message: error.message });
  const errors = parser.tableErrors.map(({ span, message }) => ({
    file,
    line: span.line,
    column: span.column,
    message,
  }));
  errors.push(...checkProgram(program, file));
  if (errors.length > 0) return { ok: false, errors };
  const name = program.name === '' ? file.replace(/^.*[\\/]/, '').replace(/\.\w+$/, '') : program.name;
  return { ok: true, program: { ...program, name } };
}

function failed(error: SourceError): ParseResult {
  return { ok: false, errors: [error] };
}

function placeOf(error: IRecognitionException, text: string): { line: number; column: number } {
  const { token } = error;
  if (token.tokenType !== EOF) return { line: token.startLine ?? 1, column: token.startColumn ?? 1 };
  const lines = text.split(/\r\n|\n|\r/);
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}
