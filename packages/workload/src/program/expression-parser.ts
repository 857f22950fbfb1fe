import { EmbeddedActionsParser, type IParserConfig, type IToken, type TokenType } from 'chevrotain';
import type { Expr } from '@hmm/operations';
import type { BinaryOp, Name, Range, Results, Span, Unit } from '@hmm/operations/internal';
import { messages } from './messages.js';
import * as T from './tokens.js';
import { kw } from './tokens.js';

const CONFIG: IParserConfig = { recoveryEnabled: false, maxLookahead: 2, errorMessageProvider: messages };
const OPS: readonly [TokenType, BinaryOp][] = [
  [T.Equal, '=='],
  [T.Assign, '=='],
  [T.NotEqual, '!='],
  [T.LessEqual, '<='],
  [T.GreaterEqual, '>='],
  [T.Less, '<'],
  [T.Greater, '>'],
];

/** The part of the grammar below statements: names, ranges, expressions, conditions. */
export class ExpressionParser extends EmbeddedActionsParser {
  constructor() {
    super(T.TOKENS, CONFIG);
  }

  /** A condition: `/\` binds tighter than `\/`, `~` tighter than both. `=` is `==`. */
  readonly condition = this.RULE('condition', (): Expr => {
    let left = this.SUBRULE(this.conjunction);
    this.MANY(() => {
      this.OR([{ ALT: () => this.CONSUME(T.Or) }, { ALT: () => this.CONSUME(kw('or')) }]);
      left = this.binary('\\/', left, this.SUBRULE1(this.conjunction));
    });
    return left;
  });

  private readonly conjunction = this.RULE('conjunction', (): Expr => {
    let left = this.SUBRULE(this.comparison);
    this.MANY(() => {
      this.OR([{ ALT: () => this.CONSUME(T.And) }, { ALT: () => this.CONSUME(kw('and')) }]);
      left = this.binary('/\\', left, this.SUBRULE1(this.comparison));
    });
    return left;
  });

  private readonly comparison = this.RULE('comparison', (): Expr => {
    let left = this.SUBRULE(this.sum);
    this.OPTION(() => {
      const op = this.OR(OPS.map(([type, text], at) => ({ ALT: () => (this.consume(at, type), text) })));
      left = this.binary(op, left, this.SUBRULE1(this.sum));
    });
    return left;
  });

  /** A value: sums and products. */
  readonly sum = this.RULE('sum', (): Expr => {
    let left = this.SUBRULE(this.product);
    this.MANY(() => {
      const op = this.OR([
        { ALT: () => (this.CONSUME(T.Plus), '+' as const) },
        { ALT: () => (this.CONSUME(T.Minus), '-' as const) },
      ]);
      left = this.binary(op, left, this.SUBRULE1(this.product));
    });
    return left;
  });

  private readonly product = this.RULE('product', (): Expr => {
    let left = this.SUBRULE(this.unary);
    this.MANY(() => {
      const op = this.OR([
        { ALT: () => (this.CONSUME(T.Star), '*' as const) },
        { ALT: () => (this.CONSUME(T.Slash), '/' as const) },
        { ALT: () => (this.CONSUME(T.Percent), '%' as const) },
      ]);
      left = this.binary(op, left, this.SUBRULE1(this.unary));
    });
    return left;
  });

  private readonly unary: () => Expr = this.RULE('unary', (): Expr =>
    this.OR<Expr>({
      ERR_MSG: 'a value',
      DEF: [
        { ALT: () => this.prefixed('-', this.CONSUME(T.Minus), this.SUBRULE(this.unary)) },
        { ALT: () => this.prefixed('~', this.CONSUME(T.Not), this.SUBRULE1(this.unary)) },
        { ALT: () => this.prefixed('~', this.CONSUME(kw('not')), this.SUBRULE2(this.unary)) },
        { ALT: () => this.SUBRULE(this.primary) },
      ],
    }),
  );

  /** A number, a name, a query, a list, or anything in parentheses. */
  readonly primary = this.RULE('primary', (): Expr =>
    this.OR<Expr>({
      ERR_MSG: 'a value',
      DEF: [
        { ALT: () => this.numberOf(this.CONSUME(T.NumberToken)) },
        { ALT: () => this.SUBRULE(this.query) },
        { ALT: () => this.SUBRULE(this.reference) },
        { ALT: () => this.SUBRULE(this.list) },
        {
          ALT: () => {
            this.CONSUME(T.LParen);
            const inner = this.SUBRULE(this.condition);
            this.CONSUME(T.RParen);
            return inner;
          },
        },
      ],
    }),
  );

  private readonly query = this.RULE('query', (): Expr => {
    const token = this.LA(1);
    const query = this.words(['where', 'mapped', 'count']);
    this.CONSUME(T.LParen);
    const name = this.SUBRULE(this.name);
    const index = this.SUBRULE(this.index);
    this.CONSUME(T.RParen);
    return { kind: 'query', query, name, index, span: this.from(token) };
  });

  private readonly reference = this.RULE('reference', (): Expr => {
    const first = this.OR([
      { ALT: () => this.SUBRULE(this.name) },
      // The two places are words that begin statements, too.
      { ALT: () => this.nameOf(this.CONSUME(kw('cpu'))) },
      { ALT: () => this.nameOf(this.CONSUME(kw('gpu'))) },
    ]);
    let agent: Name | undefined;
    let name = first;
    this.OPTION(() => {
      this.CONSUME(T.Colon);
      agent = first;
      name = this.SUBRULE1(this.name);
    });
    const index = this.SUBRULE(this.index);
    return { kind: 'ref', agent, name, index, span: this.since(first.span) };
  });

  private readonly index = this.RULE('index', (): Expr | undefined => {
    let index: Expr | undefined;
    this.OPTION(() => {
      this.CONSUME(T.LSquare);
      index = this.SUBRULE(this.sum);
      this.CONSUME(T.RSquare);
    });
    return index;
  });

  private readonly list = this.RULE('list', (): Expr => {
    const open = this.CONSUME(T.LSquare);
    const items: (Expr | undefined)[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: T.Comma,
      DEF: () => {
        const item = this.SUBRULE(this.sum);
        const any = this.ACTION(
          () => item.kind === 'ref' && item.name.text === '_' && item.index === undefined,
        );
        items.push(any ? undefined : item);
      },
    });
    this.CONSUME(T.RSquare);
    return { kind: 'list', items, span: this.from(open) };
  });

  /** `a`, `a[3]`, `a[2..6]`. */
  readonly range = this.RULE('range', (): Range => {
    const region = this.SUBRULE(this.name);
    let from: Expr | undefined;
    let to: Expr | undefined;
    this.OPTION(() => {
      this.CONSUME(T.LSquare);
      from = this.SUBRULE(this.sum);
      this.OPTION1(() => {
        this.CONSUME(T.DotDot);
        to = this.SUBRULE1(this.sum);
      });
      this.CONSUME(T.RSquare);
    });
    return { region, from, to, span: this.since(region.span) };
  });

  /** A name. */
  readonly name = this.RULE('name', (): Name => this.nameOf(this.CONSUME(T.Identifier)));

  /** `-> x rc e`. */
  readonly results = this.RULE('results', (): Results => {
    let into: Name | undefined;
    let rc: Name | undefined;
    this.OPTION(() => {
      this.CONSUME(T.Arrow);
      into = this.SUBRULE(this.name);
    });
    this.OPTION1(() => {
      this.CONSUME(kw('rc'));
      rc = this.SUBRULE1(this.name);
    });
    return { into, rc };
  });

  /** One of `texts`. `at` tells two uses in one rule apart. */
  protected words<K extends string>(texts: readonly [K, ...K[]], at = 8): K {
    let taken = texts[0];
    const take = (text: K): void => {
      this.consume(at, kw(text));
      taken = text;
    };
    this.or(at, {
      DEF: texts.map((text) => ({
        ALT: () => {
          take(text);
        },
      })),
    });
    return taken;
  }

  /** The name that a token is. */
  protected nameOf(token: IToken): Name {
    return { text: token.image, span: spanOf(token, token) };
  }

  /** From `token` to the last token consumed. */
  protected from(token: IToken): Span {
    return spanOf(token, this.LA(0));
  }

  /** From `start` to the last token consumed. */
  protected since(start: Span): Span {
    return { ...start, end: (this.LA(0).endOffset ?? 0) + 1 };
  }

  private binary(op: BinaryOp, left: Expr, right: Expr): Expr {
    return { kind: 'binary', op, left, right, span: this.ACTION(() => this.since(left.span)) };
  }

  private prefixed(op: '-' | '~', token: IToken, operand: Expr): Expr {
    return { kind: 'unary', op, operand, span: this.from(token) };
  }

  private numberOf(token: IToken): Expr {
    const text = token.image;
    const digits = /^(?:0x[0-9a-fA-F]+|[\d.]+)/.exec(text)?.[0] ?? '0';
    const suffix = text.slice(digits.length);
    return {
      kind: 'number',
      value: Number(digits),
      unit: UNITS.get(suffix) ?? '',
      span: spanOf(token, token),
    };
  }
}

const UNITS = new Map<string, Unit>([
  ['B', 'B'],
  ['KiB', 'KiB'],
  ['MiB', 'MiB'],
  ['GiB', 'GiB'],
  ['TiB', 'TiB'],
  ['page', 'pages'],
  ['pages', 'pages'],
  ['ns', 'ns'],
  ['us', 'us'],
  ['ms', 'ms'],
  ['s', 's'],
]);

/** The place of the tokens from `first` to `last`. */
export function spanOf(first: IToken, last: IToken): Span {
  return {
    line: first.startLine ?? 1,
    column: first.startColumn ?? 1,
    offset: first.startOffset,
    end: (last.endOffset ?? last.startOffset) + 1,
  };
}
