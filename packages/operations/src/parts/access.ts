import { gpuOfPlace, placeOfGpu, type StreamShape } from '@hmm/device';
import { evaluateNumber } from '../language/evaluate.js';
import { formatPrimary, formatSum } from '../language/format.js';
import type { OrderKind } from '../language/order.js';
import type { Expr } from '../language/tree.js';
import { field, part, type Part, type PartReader } from '../part.js';
import { GPU_WORDS } from './devices.js';

/** What an access does. */
export type AccessWord = 'read' | 'write' | 'atomic';
/** How its accesses hang together: see `StreamShape` of `@hmm/device`. */
export type AccessShape = Exclude<StreamShape, 'warps'>;

/** Who accesses pages, and how. */
export interface AccessVerb {
  readonly agent: 'cpu' | 'gpu';
  /** Number of the GPU that does it, from 0, counted from the statement's device on; 0 for a CPU. */
  readonly gpu: number;
  readonly access: AccessWord;
  /** `serial`: one after the other; `parallel`: one thread a page; `stream`: a grid-stride pass. */
  readonly shape: AccessShape;
}

const ACCESSES: readonly [AccessWord, ...AccessWord[]] = ['read', 'write', 'atomic'];

const SHORT = {
  cw: { agent: 'cpu', gpu: 0, access: 'write', shape: 'serial' },
  cr: { agent: 'cpu', gpu: 0, access: 'read', shape: 'serial' },
  gr: { agent: 'gpu', gpu: 0, access: 'read', shape: 'serial' },
  gw: { agent: 'gpu', gpu: 0, access: 'write', shape: 'serial' },
  ga: { agent: 'gpu', gpu: 0, access: 'atomic', shape: 'serial' },
  pr: { agent: 'gpu', gpu: 0, access: 'read', shape: 'parallel' },
  pw: { agent: 'gpu', gpu: 0, access: 'write', shape: 'parallel' },
  st: { agent: 'gpu', gpu: 0, access: 'read', shape: 'stream' },
} as const satisfies Readonly<Record<string, AccessVerb>>;

const SHORT_WORDS = [
  'cw',
  'cr',
  'gr',
  'gw',
  'ga',
  'pr',
  'pw',
  'st',
] as const satisfies readonly (keyof typeof SHORT)[];

/** `cpu read`, `gpu write`, `gpu stream`, and the short forms `cw cr gr gw ga pr pw st`. */
export const verb: Part<AccessVerb, AccessVerb> = part<AccessVerb, AccessVerb>({
  words: [...ACCESSES, 'stream'],
  begins: ['cpu', ...GPU_WORDS, ...SHORT_WORDS],
  read: (reader) =>
    reader.either<AccessVerb>([
      () => cpuVerb(reader),
      () => gpuVerb(reader),
      () => SHORT[reader.oneOf(SHORT_WORDS, 2)],
    ]),
  format: ({ agent, gpu, access, shape }) => {
    const who = agent === 'cpu' ? 'cpu' : placeOfGpu(gpu);
    return shape === 'stream' ? `${who} stream` : `${who} ${access}`;
  },
  bind: ({ agent, gpu, access, shape }) => ({ agent, gpu, access, shape }),
});

function cpuVerb(reader: PartReader): AccessVerb {
  reader.word('cpu');
  return { agent: 'cpu', gpu: 0, access: reader.oneOf(ACCESSES), shape: 'serial' };
}

function gpuVerb(reader: PartReader): AccessVerb {
  const gpu = gpuOfPlace(reader.oneOf(GPU_WORDS, 3));
  return reader.either<AccessVerb>(
    [
      () => ({ agent: 'gpu', gpu, access: reader.oneOf(ACCESSES, 1), shape: 'serial' }),
      () => {
        reader.word('stream');
        return { agent: 'gpu', gpu, access: 'read', shape: 'stream' };
      },
    ],
    1,
  );
}

/** `parallel` or `serial` behind the order, where the text says it: it changes the verb's shape. */
export const shapeWord: Part<{ readonly shape?: AccessShape }, object> = part<
  { readonly shape?: AccessShape },
  object
>({
  words: ['serial', 'parallel'],
  read(reader) {
    const shape = reader.maybe(() => reader.oneOf<'serial' | 'parallel'>(['serial', 'parallel']));
    return shape === undefined ? {} : { shape };
  },
  format: ({ shape }) => (shape === 'parallel' ? 'parallel' : ''),
  bind: () => ({}),
});

export interface Order<A> {
  readonly order: { readonly kind: OrderKind; readonly argument: A };
}

const WITH_ARGUMENT = ['stride', 'sparse', 'page', 'rand', 'subset'] as const;

/** `seq`, `rev`, `stride:16` …, or nothing: `seq`. */
export const order: Part<Order<Expr | undefined>, Order<number>> = part<
  Order<Expr | undefined>,
  Order<number>
>({
  words: ['seq', 'rev', ...WITH_ARGUMENT],
  read(reader) {
    const plain = (kind: 'seq' | 'rev') => (): Order<undefined> => {
      reader.word(kind);
      return { order: { kind, argument: undefined } };
    };
    const argued = (): Order<Expr> => {
      const kind = reader.oneOf(WITH_ARGUMENT);
      reader.sign(':');
      return { order: { kind, argument: reader.primary() } };
    };
    const read = reader.maybe(() =>
      reader.either<Order<Expr | undefined>>([plain('seq'), plain('rev'), argued]),
    );
    return read ?? { order: { kind: 'seq', argument: undefined } };
  },
  format({ order: { kind, argument } }) {
    if (kind === 'seq') return '';
    return argument === undefined ? kind : `${kind}:${formatPrimary(argument)}`;
  },
  check({ order: { argument } }, check) {
    if (argument !== undefined) check.expect(argument, 'number');
  },
  bind({ order: { kind, argument } }, scope) {
    const number = argument === undefined ? 0 : evaluateNumber(argument, scope);
    return typeof number === 'object' ? number : { order: { kind, argument: number } };
  },
});

export interface Stored<A> {
  /** What is stored or added; page `i` of the range gets `value + i * step`. */
  readonly value: A;
  readonly step: A;
}

export type StoredSyntax = Stored<Expr | undefined> & { readonly access?: AccessWord };

/** `= 5 step 1`, `+= 1`, or nothing: 1. Atomics are written with `+=`. */
export const stored: Part<StoredSyntax, Stored<number>> = part<StoredSyntax, Stored<number>>({
  words: ['step'],
  read(reader) {
    const step = (): Expr => {
      reader.word('step');
      return reader.sum(1);
    };
    const read = reader.maybe((): Stored<Expr | undefined> => {
      reader.either([
        () => {
          reader.sign('=');
        },
        () => {
          reader.sign('+=');
        },
      ]);
      return { value: reader.sum(), step: reader.maybe(step, 1) };
    });
    return read ?? { value: undefined, step: undefined };
  },
  format({ access, value, step }) {
    if (value === undefined) return '';
    const each = step === undefined ? '' : ` step ${formatSum(step)}`;
    return `${access === 'atomic' ? '+=' : '='} ${formatSum(value)}${each}`;
  },
  check({ value, step }, check) {
    for (const expr of [value, step]) if (expr !== undefined) check.expect(expr, 'number');
  },
  bind({ value, step }, scope) {
    const first = value === undefined ? 1 : evaluateNumber(value, scope);
    if (typeof first === 'object') return first;
    const each = step === undefined ? 0 : evaluateNumber(step, scope);
    return typeof each === 'object' ? each : { value: first, step: each };
  },
});

/** A word and a number, such as `byte 8`, or nothing: then the number is `without`. */
export function counting<const N extends string>(
  name: N,
  without: number,
): Part<Readonly<Record<N, Expr | undefined>>, Readonly<Record<N, number>>> {
  type Syntax = Readonly<Record<N, Expr | undefined>>;
  return part<Syntax, Readonly<Record<N, number>>>({
    words: [name],
    read(reader) {
      const value = reader.maybe(() => {
        reader.word(name);
        return reader.primary();
      });
      return field(name, value);
    },
    format(syntax) {
      const value: Expr | undefined = syntax[name];
      return value === undefined ? '' : `${name} ${formatPrimary(value)}`;
    },
    check(syntax, check) {
      const value: Expr | undefined = syntax[name];
      if (value !== undefined) check.expect(value, 'number');
    },
    bind(syntax, scope) {
      const value: Expr | undefined = syntax[name];
      const number = value === undefined ? without : evaluateNumber(value, scope);
      return typeof number === 'object' ? number : field(name, number);
    },
  });
}
