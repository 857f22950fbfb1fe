import { createToken, Lexer, type TokenType } from 'chevrotain';
import { HmmError } from '@hmm/kernel';

/** A name: letters, digits, `_`. Words that only mean something in one place are names everywhere else. */
export const Identifier = createToken({ name: 'token name', label: 'a name', pattern: /[A-Za-z_]\w*/ });

/** A name with hyphens, allowed for titles, settings and clients. */
export const Hyphenated = createToken({ name: 'hyphenated name', pattern: /[A-Za-z_]\w*(?:-\w+)+/ });

/** Words that begin something, and so cannot name anything. */
const RESERVED = [
  'program',
  'litmus',
  'set',
  'let',
  'device',
  'process',
  'malloc',
  'shared',
  'file',
  'memfd_private',
  'memfd',
  'stack',
  'managed',
  'cpu',
  'gpu',
  'cw',
  'cr',
  'gr',
  'gw',
  'ga',
  'pr',
  'pw',
  'st',
  'munmap',
  'mprotect',
  'mremap',
  'mlock',
  'munlock',
  'madvise',
  'pin',
  'unpin',
  'advise',
  'prefetch',
  'discard',
  'svm_bind',
  'sleep',
  'duel',
  'pressure',
  'open',
  'close',
  'fork',
  'wait',
  'in',
  'repeat',
  'for',
  'together',
  'thread',
  'assert',
  'dread',
  'dwrite',
  'todev',
  'tosys',
  'snap',
  'excl',
  'chkexcl',
  'drelease',
  'final',
  'exists',
  'forall',
  'never',
  'and',
  'or',
  'not',
] as const;

/** Words with a meaning in one place; names elsewhere. */
const WORDS = [
  'read',
  'write',
  'atomic',
  'stream',
  'serial',
  'parallel',
  'seq',
  'rev',
  'stride',
  'sparse',
  'page',
  'rand',
  'subset',
  'byte',
  'width',
  'step',
  'on',
  'rc',
  'rounds',
  'to',
  'none',
  'r',
  'w',
  'rw',
  'rx',
  'rwx',
  'dontneed',
  'free',
  'pageout',
  'hugepage',
  'nohugepage',
  'collapse',
  'cold',
  'unmap',
  'preferred',
  'accessed_by',
  'read_mostly',
  'unset_preferred',
  'unset_accessed_by',
  'unset_read_mostly',
  'where',
  'mapped',
  'count',
] as const;

/** A word of the language. */
export type Keyword = (typeof RESERVED)[number] | (typeof WORDS)[number];

const keywords = new Map<string, TokenType>();

function define(text: Keyword, categories: TokenType[]): void {
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

/** The token of a word of the language. */
export function kw(text: Keyword): TokenType {
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
