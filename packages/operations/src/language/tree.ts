/** A place in the source: 1-based line and column of the first character, and offsets [offset, end). */
export interface Span {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
  readonly end: number;
}

/** A name with its place. */
export interface Name {
  readonly text: string;
  readonly span: Span;
}

/** Why something of the text cannot be done or has no value, and where. */
export interface Problem {
  readonly span: Span;
  readonly message: string;
}

/** Units of a literal: bytes, pages of 4 KiB, time. No unit is a plain number. */
export type Unit = '' | 'B' | 'KiB' | 'MiB' | 'GiB' | 'TiB' | 'pages' | 'ns' | 'us' | 'ms' | 's';

/** Infix operators, loosest first in the groups of {@link PRECEDENCE}. */
export type BinaryOp = '\\/' | '/\\' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%';

/** How tight an operator binds. */
export const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  '\\/': 1,
  '/\\': 2,
  '==': 4,
  '!=': 4,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
};

/** What a condition may ask of pages and counters. */
export type Query = 'where' | 'mapped' | 'count';

/** An expression or a condition. */
export type Expr =
  | { readonly kind: 'number'; readonly value: number; readonly unit: Unit; readonly span: Span }
  /** `x`, `T0:x`, `x[2]`: a parameter, a loop variable, a result, an errno, a place, or (with an index) a byte of memory. */
  | {
      readonly kind: 'ref';
      readonly agent: Name | undefined;
      readonly name: Name;
      readonly index: Expr | undefined;
      readonly span: Span;
    }
  | {
      readonly kind: 'binary';
      readonly op: BinaryOp;
      readonly left: Expr;
      readonly right: Expr;
      readonly span: Span;
    }
  | { readonly kind: 'unary'; readonly op: '-' | '~'; readonly operand: Expr; readonly span: Span }
  /** `[5, 6, _]`; `_` (undefined) matches anything. */
  | { readonly kind: 'list'; readonly items: readonly (Expr | undefined)[]; readonly span: Span }
  /** `where(a[0])`, `mapped(a[0])`, `count(faults)`. */
  | {
      readonly kind: 'query';
      readonly query: Query;
      readonly name: Name;
      readonly index: Expr | undefined;
      readonly span: Span;
    };

/** `a`, `a[3]` or `a[2..6]` (half open), in pages from the start of the region. */
export interface Range {
  readonly region: Name;
  readonly from: Expr | undefined;
  /** Undefined with a `from`: that one page. */
  readonly to: Expr | undefined;
  readonly span: Span;
}

/** Names that get what a statement returned: the values, and the errno. */
export interface Results {
  readonly into: Name | undefined;
  readonly rc: Name | undefined;
}
