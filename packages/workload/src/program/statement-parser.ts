import type {
  DeviceCall,
  DriverAdvice,
  Expr,
  Madvice,
  MemoryKind,
  Name,
  Protection,
  RangeCallHead,
  Statement,
  ThreadDecl,
} from './ast.js';
import { AccessParser } from './access-parser.js';
import * as T from './tokens.js';
import { kw } from './tokens.js';

const MEMORY: readonly [MemoryKind, ...MemoryKind[]] = [
  'malloc',
  'shared',
  'file',
  'memfd_private',
  'memfd',
  'stack',
  'managed',
];
const PROTECTIONS: readonly [Protection, ...Protection[]] = ['none', 'r', 'w', 'rw', 'rx', 'rwx'];
const ADVICE: readonly [Madvice, ...Madvice[]] = [
  'dontneed',
  'free',
  'pageout',
  'hugepage',
  'nohugepage',
  'collapse',
  'cold',
];
const DRIVER_ADVICE: readonly [DriverAdvice, ...DriverAdvice[]] = [
  'preferred',
  'accessed_by',
  'read_mostly',
  'unset_preferred',
  'unset_accessed_by',
  'unset_read_mostly',
];
const DEVICE_CALLS: readonly [DeviceCall, ...DeviceCall[]] = [
  'dread',
  'dwrite',
  'todev',
  'tosys',
  'snap',
  'excl',
  'chkexcl',
  'drelease',
];

/** The grammar of statements. */
export class StatementParser extends AccessParser {
  /** Any statement. */
  readonly statement: () => Statement = this.RULE('statement', (): Statement =>
    this.OR<Statement>({
      ERR_MSG: 'a statement',
      DEF: [
        { ALT: () => this.SUBRULE(this.access) },
        { ALT: () => this.SUBRULE(this.allocation) },
        { ALT: () => this.SUBRULE(this.rangeCall) },
        { ALT: () => this.SUBRULE(this.mremap) },
        { ALT: () => this.SUBRULE(this.prefetch) },
        { ALT: () => this.SUBRULE(this.svmBind) },
        { ALT: () => this.SUBRULE(this.advise) },
        { ALT: () => this.SUBRULE(this.discard) },
        { ALT: () => this.SUBRULE(this.deviceCall) },
        { ALT: () => this.SUBRULE(this.simple) },
        { ALT: () => this.SUBRULE(this.compound) },
      ],
    }),
  );

  private readonly allocation = this.RULE('allocation', (): Statement => {
    const first = this.LA(1);
    const memory = this.words(MEMORY);
    const name = this.SUBRULE(this.name);
    const size = this.SUBRULE(this.sum);
    let protection: Protection = 'rw';
    this.OPTION(() => (protection = this.words(PROTECTIONS, 1)));
    return { kind: 'alloc', memory, name, size, protection, span: this.from(first) };
  });

  private readonly rangeCall = this.RULE('rangeCall', (): Statement => {
    const first = this.LA(1);
    const call = this.OR<RangeCallHead>([
      {
        ALT: () => ({
          call: this.words(['munmap', 'mlock', 'munlock', 'unpin'], 1),
          range: this.SUBRULE(this.range),
          word: undefined,
        }),
      },
      {
        ALT: () => {
          this.CONSUME(kw('mprotect'));
          return { call: 'mprotect', range: this.SUBRULE1(this.range), word: this.words(PROTECTIONS, 2) };
        },
      },
      {
        ALT: () => {
          this.CONSUME(kw('madvise'));
          return { call: 'madvise', range: this.SUBRULE2(this.range), word: this.words(ADVICE, 3) };
        },
      },
      {
        ALT: () => {
          this.CONSUME(kw('pin'));
          const range = this.SUBRULE3(this.range);
          let word: 'write' | undefined;
          this.OPTION(() => {
            this.CONSUME(kw('write'));
            word = 'write';
          });
          return { call: 'pin', range, word };
        },
      },
    ]);
    return { kind: 'syscall', ...call, ...this.SUBRULE(this.results), span: this.from(first) };
  });

  private readonly mremap = this.RULE('mremap', (): Statement => {
    const first = this.CONSUME(kw('mremap'));
    const range = this.SUBRULE(this.range);
    this.CONSUME(kw('to'));
    const to = this.SUBRULE1(this.range);
    return { kind: 'mremap', range, to, ...this.SUBRULE(this.results), span: this.from(first) };
  });

  private readonly prefetch = this.RULE('prefetch', (): Statement => {
    const first = this.CONSUME(kw('prefetch'));
    const range = this.SUBRULE(this.range);
    this.CONSUME(kw('to'));
    const place = this.SUBRULE(this.place);
    const device = this.SUBRULE(this.onDevice);
    return { kind: 'prefetch', range, place, device, ...this.SUBRULE(this.results), span: this.from(first) };
  });

  /** nouveau's name for moving a range to the device. */
  private readonly svmBind = this.RULE('svmBind', (): Statement => {
    const first = this.CONSUME(kw('svm_bind'));
    const range = this.SUBRULE(this.range);
    const device = this.SUBRULE(this.onDevice);
    return {
      kind: 'prefetch',
      range,
      place: 'gpu',
      device,
      ...this.SUBRULE(this.results),
      span: this.from(first),
    };
  });

  private readonly advise = this.RULE('advise', (): Statement => {
    const first = this.CONSUME(kw('advise'));
    const range = this.SUBRULE(this.range);
    const advice = this.words(DRIVER_ADVICE);
    let place: 'cpu' | 'gpu' = 'gpu';
    this.OPTION(() => (place = this.SUBRULE(this.place)));
    const device = this.SUBRULE(this.onDevice);
    return {
      kind: 'advise',
      range,
      advice,
      place,
      device,
      ...this.SUBRULE(this.results),
      span: this.from(first),
    };
  });

  /** `discard a`, `discard a unmap`, `discard a to gpu`. */
  private readonly discard = this.RULE('discard', (): Statement => {
    const first = this.CONSUME(kw('discard'));
    const range = this.SUBRULE(this.range);
    let unmap = false;
    this.OPTION(() => {
      this.CONSUME(kw('unmap'));
      unmap = true;
    });
    let place: 'cpu' | 'gpu' | undefined;
    this.OPTION1(() => {
      this.CONSUME(kw('to'));
      place = this.SUBRULE(this.place);
    });
    const device = this.SUBRULE(this.onDevice);
    return {
      kind: 'discard',
      range,
      unmap,
      place,
      device,
      ...this.SUBRULE(this.results),
      span: this.from(first),
    };
  });

  private readonly place = this.RULE('place', (): 'cpu' | 'gpu' =>
    this.OR<'cpu' | 'gpu'>([
      { ALT: () => (this.CONSUME(kw('cpu')), 'cpu') },
      { ALT: () => (this.CONSUME(kw('gpu')), 'gpu') },
    ]),
  );

  private readonly deviceCall = this.RULE('deviceCall', (): Statement => {
    const first = this.LA(1);
    const call = this.words(DEVICE_CALLS);
    const range = this.SUBRULE(this.range);
    let value: Expr | undefined;
    this.OPTION(() => {
      this.CONSUME(T.Assign);
      value = this.SUBRULE(this.sum);
    });
    const device = this.SUBRULE(this.onDevice);
    return {
      kind: 'device-call',
      call,
      range,
      value,
      device,
      ...this.SUBRULE(this.results),
      span: this.from(first),
    };
  });

  private readonly simple = this.RULE('simple', (): Statement =>
    this.OR<Statement>([
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.deviceFile) },
      { ALT: () => this.SUBRULE(this.processStatement) },
      { ALT: () => this.SUBRULE(this.pressure) },
      { ALT: () => this.SUBRULE(this.sleep) },
      { ALT: () => this.SUBRULE(this.duel) },
      { ALT: () => this.SUBRULE(this.assertion) },
    ]),
  );

  private readonly letStatement = this.RULE('letStatement', (): Statement => {
    const first = this.CONSUME(kw('let'));
    const name = this.SUBRULE(this.name);
    this.CONSUME(T.Assign);
    return { kind: 'let', name, value: this.SUBRULE(this.sum), span: this.from(first) };
  });

  private readonly deviceFile = this.RULE('deviceFile', (): Statement => {
    const first = this.LA(1);
    const kind = this.words(['open', 'close']);
    return { kind, device: this.SUBRULE(this.name), span: this.from(first) };
  });

  private readonly processStatement = this.RULE('processStatement', (): Statement => {
    const first = this.LA(1);
    const kind = this.words(['process', 'fork', 'wait']);
    const name = this.SUBRULE(this.name);
    const span = this.from(first);
    return kind === 'process' ? { kind, name, span } : { kind, child: name, span };
  });

  private readonly pressure = this.RULE('pressure', (): Statement => {
    const first = this.CONSUME(kw('pressure'));
    const size = this.SUBRULE(this.sum);
    return { kind: 'pressure', size, device: this.SUBRULE(this.onDevice), span: this.from(first) };
  });

  private readonly sleep = this.RULE('sleep', (): Statement => {
    const first = this.CONSUME(kw('sleep'));
    return { kind: 'sleep', time: this.SUBRULE(this.sum), span: this.from(first) };
  });

  private readonly duel = this.RULE('duel', (): Statement => {
    const first = this.CONSUME(kw('duel'));
    const range = this.SUBRULE(this.range);
    this.CONSUME(kw('rounds'));
    const rounds = this.SUBRULE(this.primary);
    return { kind: 'duel', range, rounds, device: this.SUBRULE(this.onDevice), span: this.from(first) };
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
