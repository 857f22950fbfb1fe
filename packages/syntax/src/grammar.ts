import type { TokenClass } from '@hmm/workload';
import { tokenPatterns } from '@hmm/workload/internal';

/** Identifier of the language: in editors, and behind the three backticks of a code block. */
export const LANGUAGE_ID = 'hmm';

/** One rule of a grammar: where `match` fits, the text is of the kind `name`. */
export interface TextMateRule {
  readonly name: string;
  /** A regular expression of Oniguruma. */
  readonly match: string;
}

/** A grammar as editors, GitHub and Shiki read it. */
export interface TextMateGrammar {
  readonly name: string;
  readonly displayName: string;
  readonly scopeName: string;
  /** Endings of files, without the dot. */
  readonly fileTypes: readonly string[];
  /** Other names behind the backticks of a code block. */
  readonly aliases: readonly string[];
  readonly patterns: readonly TextMateRule[];
  readonly repository: Readonly<Record<string, never>>;
}

const SCOPES: Readonly<Record<TokenClass, string>> = {
  keyword: 'keyword.control',
  name: 'variable.other',
  number: 'constant.numeric',
  string: 'string.quoted.double',
  operator: 'keyword.operator',
  comment: 'comment.line.number-sign',
};

/** What may not follow a word: it would be a longer name. */
const NO_LONGER = '(?!\\w|-\\w)';

/**
 * The grammar of programs and litmus tests (`.hmm`, `.litmus`), made of the parser's own tokens: it colours as the
 * web page's editor does.
 */
export function hmmGrammar(): TextMateGrammar {
  const rules: { kind: TokenClass; word: boolean; patterns: string[] }[] = [];
  for (const { class: kind, pattern, word } of tokenPatterns()) {
    const last = rules.at(-1);
    if (last?.kind === kind && last.word === word) last.patterns.push(pattern);
    else rules.push({ kind, word, patterns: [pattern] });
  }
  return {
    name: LANGUAGE_ID,
    displayName: 'HMM program',
    scopeName: `source.${LANGUAGE_ID}`,
    fileTypes: ['hmm', 'litmus'],
    aliases: ['litmus'],
    patterns: rules.map(({ kind, word, patterns }) => ({
      name: `${SCOPES[kind]}.${LANGUAGE_ID}`,
      match: asciiOnly(`(?:${patterns.join('|')})${word ? NO_LONGER : ''}`),
    })),
    repository: {},
  };
}

/** Oniguruma's `\w` and `\d` know all scripts, the lexer's only ASCII. */
function asciiOnly(pattern: string): string {
  return pattern.replaceAll('[\\w]', '\\w').replaceAll('\\w', '[0-9A-Za-z_]').replaceAll('\\d', '[0-9]');
}
