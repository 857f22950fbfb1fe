import type { AccessStatement, Expr, Name, Order, Results, Statement } from './ast.js';
import { ExpressionParser } from './expression-parser.js';
import * as T from './tokens.js';
import { kw } from './tokens.js';

/** What the tail of an access may carry. */
type AccessTail = Results & Pick<AccessStatement, 'value' | 'step' | 'byte' | 'width' | 'device'>;
type Verb = Pick<AccessStatement, 'agent' | 'access' | 'shape'>;

const SHORT: Readonly<Record<'cw' | 'cr' | 'gr' | 'gw' | 'ga' | 'pr' | 'pw' | 'st', Verb>> = {
  cw: { agent: 'cpu', access: 'write', shape: 'serial' },
  cr: { agent: 'cpu', access: 'read', shape: 'serial' },
  gr: { agent: 'gpu', access: 'read', shape: 'serial' },
  gw: { agent: 'gpu', access: 'write', shape: 'serial' },
  ga: { agent: 'gpu', access: 'atomic', shape: 'serial' },
  pr: { agent: 'gpu', access: 'read', shape: 'parallel' },
  pw: { agent: 'gpu', access: 'write', shape: 'parallel' },
  st: { agent: 'gpu', access: 'read', shape: 'stream' },
};
type Access = AccessStatement['access'];
const ACCESS: readonly [Access, ...Access[]] = ['read', 'write', 'atomic'];
type Short = keyof typeof SHORT;
const SHORT_WORDS: readonly [Short, ...Short[]] = ['cw', 'cr', 'gr', 'gw', 'ga', 'pr', 'pw', 'st'];

/** The grammar of accesses, and of the tails that other statements share with them. */
export class AccessParser extends ExpressionParser {
  /** `cpu write a rev = 5`, `gpu read a stride:16 parallel -> x` and the short forms `cw cr gr gw ga pr pw st`. */
  readonly access = this.RULE('access', (): Statement => {
    const first = this.LA(1);
    const verb = this.OR<Verb>([
      { ALT: () => this.SUBRULE(this.cpuVerb) },
      { ALT: () => this.SUBRULE(this.gpuVerb) },
      { ALT: () => SHORT[this.words(SHORT_WORDS)] },
    ]);
    const range = this.SUBRULE(this.range);
    const order = this.SUBRULE(this.order);
    let shape = verb.shape;
    this.OPTION(() => {
      shape = this.OR1<'serial' | 'parallel'>([
        { ALT: () => (this.CONSUME(kw('serial')), 'serial') },
        { ALT: () => (this.CONSUME(kw('parallel')), 'parallel') },
      ]);
    });
    const tail = this.SUBRULE(this.accessTail);
    return { kind: 'access', ...verb, shape, range, order, ...tail, span: this.from(first) };
  });

  private readonly cpuVerb = this.RULE('cpuVerb', (): Verb => {
    this.CONSUME(kw('cpu'));
    return { agent: 'cpu', access: this.words(ACCESS), shape: 'serial' };
  });

  private readonly gpuVerb = this.RULE('gpuVerb', (): Verb => {
    this.CONSUME(kw('gpu'));
    return this.OR<Verb>([
      { ALT: () => ({ agent: 'gpu', access: this.words(ACCESS, 1), shape: 'serial' }) },
      { ALT: () => (this.CONSUME(kw('stream')), { agent: 'gpu', access: 'read', shape: 'stream' }) },
    ]);
  });

  private readonly order = this.RULE('order', (): Order => {
    let order: Order = { kind: 'seq', argument: undefined };
    this.OPTION(() => {
      order = this.OR<Order>([
        { ALT: () => (this.CONSUME(kw('seq')), { kind: 'seq', argument: undefined }) },
        { ALT: () => (this.CONSUME(kw('rev')), { kind: 'rev', argument: undefined }) },
        {
          ALT: () => {
            const kind = this.words(['stride', 'sparse', 'page', 'rand', 'subset'], 1);
            this.CONSUME(T.Colon);
            return { kind, argument: this.SUBRULE(this.primary) };
          },
        },
      ]);
    });
    return order;
  });

  private readonly accessTail = this.RULE('accessTail', (): AccessTail => {
    let value: Expr | undefined;
    let step: Expr | undefined;
    this.OPTION(() => {
      this.OR([{ ALT: () => this.CONSUME(T.Assign) }, { ALT: () => this.CONSUME(T.AddAssign) }]);
      value = this.SUBRULE(this.sum);
      this.OPTION1(() => {
        this.CONSUME(kw('step'));
        step = this.SUBRULE1(this.sum);
      });
    });
    let byte: Expr | undefined;
    this.OPTION2(() => {
      this.CONSUME(kw('byte'));
      byte = this.SUBRULE(this.primary);
    });
    let width: Expr | undefined;
    this.OPTION3(() => {
      this.CONSUME(kw('width'));
      width = this.SUBRULE1(this.primary);
    });
    const device = this.SUBRULE(this.onDevice);
    return { value, step, byte, width, device, ...this.SUBRULE(this.results) };
  });

  /** `on D1`. */
  readonly onDevice = this.RULE('onDevice', (): Name | undefined => {
    let device: Name | undefined;
    this.OPTION(() => {
      this.CONSUME(kw('on'));
      device = this.SUBRULE(this.name);
    });
    return device;
  });

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
}
