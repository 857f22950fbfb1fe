import type { IToken } from 'chevrotain';
import { type AnyOperation, OPERATIONS, type OperationStatement } from '@hmm/operations';
import { type Name, type PartReader, type Sign } from '@hmm/operations/internal';
import type { Statement, ThreadDecl } from './ast.js';
import { ExpressionParser } from './expression-parser.js';
import * as T from './tokens.js';
import { kw } from './tokens.js';

const SIGNS: Readonly<Record<Sign, typeof T.Assign>> = { '=': T.Assign, '+=': T.AddAssign, ':': T.Colon };

/** Numbers of uses that each part of an operation has for itself, and what sets the uses for lists of words apart. */
const USES = 8;
const WORD_USES = 128;

/** The grammar of statements: operations as their definitions say, and control. */
export class StatementParser extends ExpressionParser {
  /** One rule an operation. */
  private readonly operations = OPERATIONS.map((definition: AnyOperation) =>
    this.RULE(`operation_${definition.kind}`, (): OperationStatement => this.operation(definition)),
  );

  /** Any statement. */
  readonly statement: () => Statement = this.RULE('statement', (): Statement =>
    this.or<Statement>(0, {
      ERR_MSG: 'a statement',
      DEF: [
        ...this.operations.map((rule, at) => ({ ALT: () => this.subrule(at, rule) })),
        { ALT: () => this.SUBRULE(this.letStatement) },
        { ALT: () => this.SUBRULE(this.assertion) },
        { ALT: () => this.SUBRULE(this.compound) },
      ],
    }),
  );

  private operation(definition: AnyOperation): OperationStatement {
    const { kind, word, parts, results } = definition;
    const first: IToken = this.LA(1);
    if (word !== false) this.CONSUME(kw(kind));
    const syntax: object = {};
    for (const [at, part] of parts.entries()) Object.assign(syntax, part.read(this.reader(at)));
    if (results) Object.assign(syntax, this.SUBRULE(this.results));
    // A statement's type is made of what its parts read.
    return { kind, ...syntax, span: this.from(first) } as OperationStatement;
  }

  /** Reads part `at` of an operation. */
  private reader(at: number): PartReader {
    const base = at * USES;
    return {
      word: (text, use = 0) => {
        this.consume(base + use, kw(text));
      },
      oneOf: (words, use = 0) => this.words(words, WORD_USES + base + use),
      sign: (sign, use = 0) => {
        this.consume(base + use, SIGNS[sign]);
      },
      maybe: (body, use = 0) => this.option(base + use, body),
      either: <T>(alternatives: readonly (() => T)[], use = 0): T =>
        this.or<T>(base + use, { DEF: alternatives.map((ALT) => ({ ALT })) }),
      name: (use = 0) => this.subrule(base + use, this.name),
      range: (use = 0) => this.subrule(base + use, this.range),
      sum: (use = 0) => this.subrule(base + use, this.sum),
      primary: (use = 0) => this.subrule(base + use, this.primary),
    };
  }

  private readonly letStatement = this.RULE('letStatement', (): Statement => {
    const first = this.CONSUME(kw('let'));
    const name = this.SUBRULE(this.name);
    this.CONSUME(T.Assign);
    return { kind: 'let', name, value: this.SUBRULE(this.sum), span: this.from(first) };
  });

  private readonly assertion = this.RULE('assertion', (): Statement => {
    const first = this.CONSUME(kw('assert'));
    return { kind: 'assert', condition: this.SUBRULE(this.condition), span: this.from(first) };
  });

  private readonly compound: () => Statement = this.RULE('compound', (): Statement =>
    this.OR<Statement>([
      { ALT: () => this.SUBRULE(this.inProcess) },
      { ALT: () => this.SUBRULE(this.repeat) },
      { ALT: () => this.SUBRULE(this.forLoop) },
      { ALT: () => this.SUBRULE(this.together) },
      {
        ALT: () => {
          const first = this.LA(1);
          return { kind: 'block', body: this.SUBRULE(this.block), span: this.from(first) };
        },
      },
    ]),
  );

  private readonly inProcess = this.RULE('inProcess', (): Statement => {
    const first = this.CONSUME(kw('in'));
    const process = this.SUBRULE(this.name);
    return { kind: 'in', process, body: this.SUBRULE(this.block), span: this.from(first) };
  });

  private readonly repeat = this.RULE('repeat', (): Statement => {
    const first = this.CONSUME(kw('repeat'));
    const count = this.SUBRULE(this.sum);
    return { kind: 'repeat', count, body: this.SUBRULE(this.block), span: this.from(first) };
  });

  private readonly forLoop = this.RULE('forLoop', (): Statement => {
    const first = this.CONSUME(kw('for'));
    const name = this.SUBRULE(this.name);
    this.CONSUME(T.Assign);
    const from = this.SUBRULE(this.sum);
    this.CONSUME(T.DotDot);
    const to = this.SUBRULE1(this.sum);
    return { kind: 'for', name, from, to, body: this.SUBRULE(this.block), span: this.from(first) };
  });

  private readonly together = this.RULE('together', (): Statement => {
    const first = this.CONSUME(kw('together'));
    this.CONSUME(T.LCurly);
    const threads: ThreadDecl[] = [];
    this.AT_LEAST_ONE(() => {
      const start = this.CONSUME(kw('thread'));
      const head = this.SUBRULE(this.threadHead);
      threads.push({ ...head, body: this.SUBRULE(this.block), span: this.from(start) });
    });
    this.CONSUME(T.RCurly);
    return { kind: 'together', threads, span: this.from(first) };
  });

  /** `T0`, `T1 in child`. */
  readonly threadHead = this.RULE('threadHead', (): Pick<ThreadDecl, 'name' | 'process' | 'span'> => {
    const name = this.SUBRULE(this.name);
    let process: Name | undefined;
    this.OPTION(() => {
      this.CONSUME(kw('in'));
      process = this.SUBRULE1(this.name);
    });
    return { name, process, span: this.since(name.span) };
  });

  /** `{ … }`. */
  readonly block = this.RULE('block', (): Statement[] => {
    const body: Statement[] = [];
    this.CONSUME(T.LCurly);
    this.MANY(() => body.push(this.SUBRULE(this.statement)));
    this.CONSUME(T.RCurly);
    return body;
  });
}
