import { createToken, Lexer, type TokenType } from 'chevrotain';
import { HmmError } from '@hmm/kernel';
import { OPERATIONS } from '@hmm/operations';
import { beginningWords, innerWords } from '@hmm/operations/internal';

/** A name: letters, digits, `_`. Words that only mean something in one place are names everywhere else. */
export const Identifier = createToken({ name: 'token name', label: 'a name', pattern: /[A-Za-z_]\w*/ });

/** A name with hyphens, allowed for titles, settings and clients. */
export const Hyphenated = createToken({ name: 'hyphenated name', pattern: /[A-Za-z_]\w*(?:-\w+)+/ });

/** Words that begin something, and so cannot name anything. */
const RESERVED: readonly string[] = [
  'program',
  'litmus',
  'set',
  'let',
  'device',
  'in',
  'repeat',
  'for',
  'together',
  'thread',
  'assert',
  'final',
  'exists',
  'forall',
  'never',
  'and',
  'or',
  'not',
  ...beginningWords(OPERATIONS),
];

/** Words with a meaning in one place; names elsewhere. */
const WORDS: readonly string[] = ['rc', 'where', 'mapped', 'count', ...innerWords(OPERATIONS)];

const keywords = new Map<string, TokenType>();

function define(text: string, categories: TokenType[]): void {
  const longer = [Hyphenated, Identifier];
  keywords.set(
    text,
    createToken({
      name: `word ${text}`,
      label: text,
      pattern: new RegExp(text),
      longer_alt: longer,
      categories,
    }),
  );
}

for (const text of RESERVED) define(text, []);
for (const text of WORDS) define(text, [Identifier]);

/** The token of a word of the language. @throws HmmError `NO_KEYWORD` */
export function kw(text: string): TokenType {
  const type = keywords.get(text);
  if (type === undefined) throw new HmmError('NO_KEYWORD', `no keyword ${text}`);
  return type;
}

const symbol = (name: string, pattern: RegExp): TokenType => createToken({ name, pattern });

/** Numbers, strings and signs. */
export const NumberToken = createToken({
  name: 'number',
  pattern: /0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:KiB|MiB|GiB|TiB|pages|page|ns|us|ms|B|s)?(?![\w])/,
});
export const StringToken = createToken({ name: 'string', pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*"/ });
export const Arrow = symbol("'->'", /->/);
export const AddAssign = symbol("'+='", /\+=/);
export const Or = symbol("'\\/'", /\\\//);
export const And = symbol("'/\\'", /\/\\/);
export const Not = symbol("'~'", /~/);
export const Equal = symbol("'=='", /==/);
export const NotEqual = symbol("'!='", /!=/);
export const LessEqual = symbol("'<='", /<=/);
export const GreaterEqual = symbol("'>='", />=/);
export const Less = symbol("'<'", /</);
export const Greater = symbol("'>'", />/);
export const Assign = symbol("'='", /=/);
export const DotDot = symbol("'..'", /\.\./);
export const Plus = symbol("'+'", /\+/);
export const Minus = symbol("'-'", /-/);
export const Star = symbol("'*'", /\*/);
export const Slash = symbol("'/'", /\//);
export const Percent = symbol("'%'", /%/);
export const LParen = symbol("'('", /\(/);
export const RParen = symbol("')'", /\)/);
export const LSquare = symbol("'['", /\[/);
export const RSquare = symbol("']'", /\]/);
export const LCurly = symbol("'{'", /\{/);
export const RCurly = symbol("'}'", /\}/);
export const Comma = symbol("','", /,/);
export const Colon = symbol("':'", /:/);
export const Semicolon = symbol("';'", /;/);
export const Pipe = symbol("'|'", /\|/);

const Blank = createToken({ name: 'blank', pattern: /[ \t\r\n]+/, group: Lexer.SKIPPED, line_breaks: true });
const Comment = createToken({ name: 'comment', pattern: /#[^\n\r]*/, group: Lexer.SKIPPED });

/** All tokens, in the order in which the lexer tries them. */
export const TOKENS: TokenType[] = [
  Blank,
  Comment,
  StringToken,
  NumberToken,
  ...[...keywords].sort(([a], [b]) => b.length - a.length).map(([, type]) => type),
  Hyphenated,
  Identifier,
  Arrow,
  AddAssign,
  Or,
  And,
  Not,
  Equal,
  NotEqual,
  LessEqual,
  GreaterEqual,
  Less,
  Greater,
  Assign,
  DotDot,
  Plus,
  Minus,
  Star,
  Slash,
  Percent,
  LParen,
  RParen,
  LSquare,
  RSquare,
  LCurly,
  RCurly,
  Comma,
  Colon,
  Semicolon,
  Pipe,
];

const UNUSABLE = new Set<string>(['_', ...RESERVED]);

/** Whether `text` can name something. */
export function isName(text: string): boolean {
  return /^[A-Za-z_]\w*$/.test(text) && !UNUSABLE.has(text);
}

/** Whether `text` can stand unquoted as a title or a setting's value. */
export function isPlainWord(text: string): boolean {
  return isName(text) || /^[A-Za-z_]\w*(?:-\w+)+$/.test(text);
}
