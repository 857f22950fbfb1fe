import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import { formatProgram, parseProgram, type ProgramFile, type Statement } from '@hmm/workload';
import { type Expr, type Range } from '@hmm/workload/internal';

// Trees over a fixed set of names, so that every tree passes the checks.
const span = { line: 0, column: 0, offset: 0, end: 0 };
const name = (text: string): { text: string; span: typeof span } => ({ text, span });
const region = fc.constantFrom(name('a'), name('b'), name('page'));
const number: fc.Arbitrary<Expr> = fc.nat(5000).map((value) => ({ kind: 'number', value, unit: '', span }));
const ref: fc.Arbitrary<Expr> = fc
  .constantFrom('n', 'EFAULT')
  .map((text) => ({ kind: 'ref', agent: undefined, name: name(text), index: undefined, span }));

const { sum, condition } = fc.letrec<{ sum: Expr; condition: Expr }>((tie) => ({
  sum: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    number,
    ref,
    fc.record({
      kind: fc.constant('unary'),
      op: fc.constantFrom('-', '~'),
      operand: tie('sum'),
      span: fc.constant(span),
    }),
    fc.record({
      kind: fc.constant('binary'),
      op: fc.constantFrom('+', '-', '*', '/', '%'),
      left: tie('sum'),
      right: tie('sum'),
      span: fc.constant(span),
    }),
  ),
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('sum'),
    fc.record({
      kind: fc.constant('binary'),
      op: fc.constantFrom('/\\', '\\/', '==', '!=', '<', '<=', '>', '>='),
      left: tie('condition'),
      right: tie('condition'),
      span: fc.constant(span),
    }),
    fc
      .array(fc.option(tie('sum'), { nil: undefined }), { minLength: 1, maxLength: 3 })
      .map((items): Expr => ({ kind: 'list', items, span })),
    fc.record({
      kind: fc.constant('query'),
      query: fc.constantFrom('where', 'mapped'),
      name: region,
      index: fc.option(tie('sum'), { nil: undefined }),
      span: fc.constant(span),
    }),
  ),
}));

const range: fc.Arbitrary<Range> = fc.oneof(
  region.map((r): Range => ({ region: r, from: undefined, to: undefined, span })),
  fc
    .tuple(region, sum, fc.option(sum, { nil: undefined }))
    .map(([r, from, to]): Range => ({ region: r, from, to, span })),
);
const results = { into: fc.constantFrom(undefined, name('x')), rc: fc.constantFrom(undefined, name('e')) };
const maybe = fc.option(sum, { nil: undefined });
const device = fc.constantFrom(undefined, name('D0'));
const order = fc.oneof(
  fc.record({ kind: fc.constantFrom('seq', 'rev'), argument: fc.constant(undefined) }),
  fc.record({ kind: fc.constantFrom('stride', 'sparse', 'page', 'rand', 'subset'), argument: sum }),
);
const place = fc.constantFrom('cpu', 'gpu', 'gpu1', 'gpu7');
const here = { span: fc.constant(span) };

const accesses: fc.Arbitrary<Statement>[] = [
  fc
    .tuple(fc.record({ range, order, byte: maybe, width: maybe, ...results }), fc.boolean(), maybe)
    .map(([rest, write, value]): Statement => ({
      kind: 'access',
      agent: 'cpu',
      gpu: 0,
      access: write ? 'write' : 'read',
      shape: 'serial',
      device: undefined,
      value: write ? value : undefined,
      step: write && value !== undefined ? value : undefined,
      span,
      ...rest,
    })),
  fc
    .tuple(
      fc.record({ range, order, device, gpu: fc.nat(7), ...results }),
      fc.constantFrom('serial', 'parallel', 'stream'),
    )
    .map(([rest, shape]): Statement => ({
      kind: 'access',
      agent: 'gpu',
      access: 'read',
      shape,
      value: undefined,
      step: undefined,
      byte: undefined,
      width: undefined,
      span,
      ...rest,
    })),
];

const calls: fc.Arbitrary<Statement>[] = [
  fc.record({ kind: fc.constant('prefetch'), range, place, device, ...results, ...here }),
  fc.record({
    kind: fc.constant('discard'),
    range,
    unmap: fc.boolean(),
    place: fc.option(place, { nil: undefined }),
    device,
    ...results,
    ...here,
  }),
  fc.record({
    kind: fc.constant('advise'),
    range,
    advice: fc.constantFrom('preferred', 'accessed_by', 'read_mostly', 'unset_preferred'),
    place,
    device,
    ...results,
    ...here,
  }),
  fc.record({
    kind: fc.constant('madvise'),
    range,
    advice: fc.constantFrom('dontneed', 'pageout'),
    ...results,
    ...here,
  }),
  fc.record({ kind: fc.constant('pin'), range, write: fc.boolean(), ...results, ...here }),
  fc.record({ kind: fc.constant('unpin'), range, ...results, ...here }),
  fc.record({
    kind: fc.constant('mprotect'),
    range,
    protection: fc.constantFrom('none', 'r', 'rw', 'rwx'),
    ...results,
    ...here,
  }),
  fc.record({ kind: fc.constant('svm_bind'), range, device, ...results, ...here }),
  fc.record({
    kind: fc.constant('mremap'),
    range,
    to: range,
    dontunmap: fc.boolean(),
    ...results,
    ...here,
  }),
  fc.record({
    kind: fc.constant('dwrite'),
    range,
    value: maybe,
    device,
    ...results,
    ...here,
  }),
  fc.record({ kind: fc.constant('duel'), range, rounds: sum, device, ...here }),
  fc.record({ kind: fc.constant('assert'), condition, ...here }),
];

const { statement } = fc.letrec<{ statement: Statement }>((tie) => ({
  statement: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    ...accesses,
    ...calls,
    fc.record({
      kind: fc.constant('repeat'),
      count: sum,
      body: fc.array(tie('statement'), { maxLength: 3 }),
      ...here,
    }),
    fc.record({
      kind: fc.constant('in'),
      process: fc.constant(name('main')),
      body: fc.array(tie('statement'), { maxLength: 3 }),
      ...here,
    }),
    fc.record({ kind: fc.constant('block'), body: fc.array(tie('statement'), { maxLength: 3 }), ...here }),
  ),
}));

const size: Expr = { kind: 'number', value: 2, unit: 'MiB', span };
const prologue: Statement[] = [
  { kind: 'let', name: name('n'), value: { kind: 'number', value: 4, unit: '', span }, span },
  ...['a', 'b', 'page'].map((text): Statement => ({
    kind: 'alloc',
    memory: 'malloc',
    name: name(text),
    size,
    reused: undefined,
    protection: 'rw',
    into: undefined,
    rc: undefined,
    gpu: undefined,
    span,
  })),
];
const program = fc
  .record({
    kind: fc.constant('litmus'),
    name: fc.constantFrom('t', 'two-words', 'with "quotes" \\'),
    doc: fc.constantFrom('', 'what it is about'),
    body: fc.array(statement, { maxLength: 4 }),
    threads: fc.array(fc.array(statement, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
    final: fc.array(statement, { maxLength: 2 }),
    condition: fc.option(condition, { nil: undefined }),
  })
  .map((p): ProgramFile => ({
    ...p,
    settings: [{ key: name('gpu'), value: 'p100-2016', span }],
    devices: [{ name: name('D0'), client: undefined, span }],
    body: [...prologue, ...p.body],
    threads: p.threads.map((body, at) => ({ name: name(`T${at}`), process: undefined, body, span })),
    condition: p.condition === undefined ? undefined : { quantifier: 'exists', condition: p.condition, span },
  }));

const withoutPlaces = (tree: ProgramFile): unknown =>
  JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === 'span' ? undefined : value)));

test('parsing a formatted tree gives the tree', () => {
  fc.assert(
    fc.property(program, (tree) => {
      const text = formatProgram(tree);
      const result = parseProgram(text, 'generated');
      expect(result, text).toMatchObject({ ok: true });
      if (result.ok) {
        expect(withoutPlaces(result.program), text).toEqual(withoutPlaces(tree));
        expect(formatProgram(result.program)).toBe(text);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('no text makes the parser throw', () => {
  const word = fc.constantFrom(
    'malloc',
    'a',
    '4KiB',
    'cpu',
    'read',
    '[',
    ']',
    '{',
    '}',
    '|',
    ';',
    '=',
    '5',
    '"',
    '§',
    'exists',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join(' ')),
      ),
      (text) => {
        const result = parseProgram(text, 'f');
        if (!result.ok) for (const error of result.errors) expect(error.line).toBeGreaterThan(0);
      },
    ),
    { numRuns: 500, seed: 1 },
  );
});
