import type { IParserErrorMessageProvider, IToken, TokenType } from 'chevrotain';
import { EOF, tokenLabel } from 'chevrotain';
import { Hyphenated, Identifier } from './tokens.js';

/** The parser's complaints: what was expected, what was found. */
export const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual }) =>
    `expected ${label(expected)} but found ${found(actual)}`,
  buildNotAllInputParsedMessage: ({ firstRedundant }) =>
    `expected a statement but found ${found(firstRedundant)}`,
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual, customUserDescription }) =>
    `expected ${customUserDescription || alternatives(expectedPathsPerAlt.flat())} but found ${found(actual[0])}`,
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) =>
    `expected ${alternatives(expectedIterationPaths)} but found ${found(actual[0])}`,
};

function label(type: TokenType): string {
  return type === EOF ? 'the end of the file' : type === Identifier ? 'a name' : tokenLabel(type);
}

function alternatives(paths: readonly TokenType[][]): string {
  const labels = [...new Set(paths.map((path) => (path[0] === undefined ? 'nothing' : label(path[0]))))];
  const last = labels.pop() ?? 'nothing';
  return labels.length === 0 ? last : `${labels.join(', ')} or ${last}`;
}

function found(token: IToken | undefined): string {
  if (token === undefined || token.tokenType === EOF) return 'the end of the file';
  const hint =
    token.tokenType === Hyphenated ? " (a name with hyphens; for a difference write spaces around '-')" : '';
  return `'${token.image}'${hint}`;
}
