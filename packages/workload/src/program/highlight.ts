import { Lexer } from 'chevrotain';
import { Hyphenated, Identifier, NumberToken, StringToken, TOKENS } from './tokens.js';

/** What an editor may colour alike. */
export type TokenClass = 'keyword' | 'name' | 'number' | 'string' | 'operator' | 'comment';

/** A coloured stretch of a program's text, offsets [offset, end). */
export interface ClassifiedToken {
  readonly offset: number;
  readonly end: number;
  readonly class: TokenClass;
}

const lexer = new Lexer(TOKENS, { positionTracking: 'onlyOffset' });

/**
 * The tokens of a program's text with their classes, in order, comments included; text that is no token is left out.
 * For editors: it is the parser's own lexer, so colours and meaning cannot differ.
 */
export function tokenize(text: string): ClassifiedToken[] {
  const found: ClassifiedToken[] = [];
  let last = 0;
  for (const token of lexer.tokenize(text).tokens) {
    const end = token.startOffset + token.image.length;
    comments(text, last, token.startOffset, found);
    found.push({ offset: token.startOffset, end, class: classOf(token.tokenType.name, token.image) });
    last = end;
  }
  comments(text, last, text.length, found);
  return found;
}

function classOf(type: string, image: string): TokenClass {
  if (type === NumberToken.name) return 'number';
  if (type === StringToken.name) return 'string';
  if (type === Identifier.name || type === Hyphenated.name) return 'name';
  return /^\w/.test(image) ? 'keyword' : 'operator';
}

function comments(text: string, from: number, to: number, into: ClassifiedToken[]): void {
  for (let at = text.indexOf('#', from); at >= 0 && at < to;) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 || newline > to ? to : newline;
    into.push({ offset: at, end, class: 'comment' });
    at = text.indexOf('#', end);
  }
}

/** How a kind of token looks. */
export interface TokenPattern {
  readonly class: TokenClass;
  /** Source of a regular expression, which fits at a token's first character. */
  readonly pattern: string;
  /** Whether it is a word, which only counts where neither a letter nor a hyphen and a letter follow. */
  readonly word: boolean;
}

/** The lexer's patterns, in the order in which it tries them, for whoever colours without it. Blanks are left out. */
export function tokenPatterns(): TokenPattern[] {
  return TOKENS.flatMap(({ name, PATTERN }) => {
    if (!(PATTERN instanceof RegExp) || name === 'blank') return [];
    const pattern = PATTERN.source;
    const word = name.startsWith('word ');
    return [{ class: name === 'comment' ? 'comment' : classOf(name, word ? pattern : ''), pattern, word }];
  });
}
