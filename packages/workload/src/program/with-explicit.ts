import type { Name, Span } from '@hmm/operations/internal';
import type { ProgramFile, Statement } from './ast.js';

/** What becomes of a region's device copy as the statements go on. */
interface Side {
  /** The host has bytes that the device has not; the device has bytes that the host has not. */
  hostNewer: boolean;
  deviceNewer: boolean;
}

type Sides = Map<string, Side>;

/** Statements that have no meaning for explicit memory: advice, moves, what the system does to pages, and what asks where they are. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'advise',
  'prefetch',
  'discard',
  'svm_bind',
  'madvise',
  'mlock',
  'munlock',
  'assert',
]);
/** Statements that a program with explicit memory cannot have, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['mremap', 'memory of the device does not move with that of the host'],
  ['mprotect', 'protection of host memory says nothing of that of the device'],
]);

/** A program with explicit memory, or one sentence on why it cannot be made. */
export type ExplicitProgram =
  { readonly ok: true; readonly program: ProgramFile } | { readonly ok: false; readonly message: string };

class Refusal extends Error {}

/** What is to be known while statements are made explicit. */
interface Making {
  readonly used: ReadonlySet<string>;
  readonly sides: Sides;
  /** Children by fork so far, and the regions that statements of children read. */
  readonly children: Set<string>;
  readonly ofChildren: ReadonlySet<string>;
}

/**
 * The program as people write it without memory that moves by itself: each region that the GPU uses is private memory of the process
 * and a `vram` region beside it, of the name with `_device` behind. A launch works on the latter; before it comes a copy of what the
 * CPU has written since, and before the CPU looks, one of what the GPU has, as before a pin, and before a fork where the child looks.
 * Copies and fills of the program work on the device's side. Loops begin as if a round had gone before. Agents that work together
 * share what one of them writes only if all use it on the same side: a message says which line cannot be had, and why.
 */
export function withExplicitMemory(program: ProgramFile): ExplicitProgram {
  if (program.kind !== 'program') return { ok: false, message: 'only programs have an explicit form' };
  const used = usedByGpu(program.body);
  if (used.size === 0) return { ok: false, message: 'no kernel of the program uses memory' };
  const sides: Sides = new Map();
  try {
    const making = { used, sides, children: new Set<string>(), ofChildren: readByChildren(program.body) };
    const body = statements(program.body, making);
    const end = [...sides].flatMap(([name, side]) => homewardIf(name, side, spanOf(program.body)));
    return { ok: true, program: { ...program, body: [...body, ...end], final: [] } };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, message: error.message };
    throw error;
  }
}

function usedByGpu(body: readonly Statement[]): Set<string> {
  const names = new Set<string>();
  const vram = new Set<string>();
  for (const s of every(body)) if (s.kind === 'alloc' && s.memory === 'vram') vram.add(s.name.text);
  for (const s of every(body)) {
    if ((s.kind === 'access' && s.agent === 'gpu') || s.kind === 'fill') names.add(s.range.region.text);
    if (s.kind !== 'copy') continue;
    const both = [s.range.region.text, s.to.region.text];
    if (!both.some((name) => vram.has(name))) for (const name of both) names.add(name);
  }
  return names;
}

/** The regions that `in` statements of children name. */
function readByChildren(body: readonly Statement[]): Set<string> {
  const children = new Set<string>();
  for (const s of every(body)) if (s.kind === 'fork') children.add(s.child.text);
  const names = new Set<string>();
  for (const s of every(body)) {
    if (s.kind !== 'in' || !children.has(s.process.text)) continue;
    for (const one of every(s.body)) if ('range' in one) names.add(one.range.region.text);
  }
  return names;
}

/** Statements with all that they contain, outer ones first. */
function* every(body: readonly Statement[]): Generator<Statement> {
  for (const s of body) {
    yield s;
    if ('body' in s) yield* every(s.body);
    else if (s.kind === 'together') for (const { body: own } of s.threads) yield* every(own);
  }
}

/** What statements do to a region, on either side. */
interface Uses {
  cpu: boolean;
  gpu: boolean;
  cpuWrites: boolean;
  gpuWrites: boolean;
}

function usesOf(body: readonly Statement[], name: string): Uses {
  const uses: Uses = { cpu: false, gpu: false, cpuWrites: false, gpuWrites: false };
  for (const s of every(body)) {
    if (s.kind === 'copy' && s.to.region.text === name) uses.gpu = uses.gpuWrites = true;
    if (!('range' in s) || s.range.region.text !== name || LEFT_OUT.has(s.kind)) continue;
    const onGpu = s.kind === 'copy' || s.kind === 'fill' || (s.kind === 'access' && s.agent === 'gpu');
    const writes = s.kind === 'fill' || (s.kind === 'access' && s.access !== 'read');
    if (onGpu) uses.gpu = true;
    else uses.cpu = true;
    if (writes && onGpu) uses.gpuWrites = true;
    else if (writes) uses.cpuWrites = true;
  }
  return uses;
}

function spanOf(body: readonly Statement[]): Span {
  return body.at(-1)?.span ?? { line: 1, column: 1, offset: 0, end: 0 };
}

function statements(body: readonly Statement[], making: Making): Statement[] {
  return body.flatMap((s) => statement(s, making));
}

function refusal(s: Statement, why: string): Refusal {
  return new Refusal(`line ${s.span.line}: '${s.kind}' has no explicit form here: ${why}`);
}

function statement(s: Statement, making: Making): Statement[] {
  const { sides } = making;
  const refused = REFUSED.get(s.kind);
  if (refused !== undefined) throw refusal(s, refused);
  if (LEFT_OUT.has(s.kind)) return [];
  switch (s.kind) {
    case 'alloc':
      return allocation(s, making);
    case 'access':
      return access(s, sides);
    case 'copy':
      return copied(s, sides);
    case 'fill':
      return onDevice(s, sides, s.range.from === undefined);
    case 'pin':
    case 'pinned':
      return [...looks(s.range.region.text, sides, s.span), s];
    case 'munmap':
      return unmapped(s, sides);
    case 'fork':
      making.children.add(s.child.text);
      return [...[...making.ofChildren].flatMap((name) => looks(name, sides, s.span)), s];
    case 'in':
      return inProcess(s, making);
    case 'together':
      return together(s, making);
    default:
      return 'body' in s
        ? [...entering(s.body, sides, s.span), { ...s, body: statements(s.body, making) }]
        : [s];
  }
}

/** A child works on its own copy of host memory, and the device is its parent's. */
function inProcess(s: Extract<Statement, { kind: 'in' }>, making: Making): Statement[] {
  if (!making.children.has(s.process.text)) return [{ ...s, body: statements(s.body, making) }];
  for (const one of every(s.body)) {
    const onGpu =
      one.kind === 'copy' || one.kind === 'fill' || (one.kind === 'access' && one.agent === 'gpu');
    if (onGpu) throw refusal(one, 'a child cannot use the memory of the device that its parent took');
  }
  return [{ ...s, body: s.body.filter(({ kind }) => !LEFT_OUT.has(kind)) }];
}

/** Agents that use a region on the same side, or only read it, find it there; what only one of them uses, it copies itself. */
function together(s: Extract<Statement, { kind: 'together' }>, making: Making): Statement[] {
  const { sides } = making;
  const copies: Statement[] = [];
  for (const [name, side] of sides) {
    const uses = s.threads.map(({ body }) => usesOf(body, name)).filter(({ cpu, gpu }) => cpu || gpu);
    if (uses.length < 2) continue;
    const cpu = uses.some((one) => one.cpu);
    const gpu = uses.some((one) => one.gpu);
    if (cpu && gpu && uses.some((one) => one.cpuWrites || one.gpuWrites))
      throw refusal(
        s,
        `CPU and GPU use ${name} at once, and would have to take turns, with a copy of it at each`,
      );
    if (cpu) copies.push(...homewardIf(name, side, s.span));
    if (gpu) copies.push(...upwardIf(name, side, s.span));
  }
  const threads = s.threads.map((thread) => ({ ...thread, body: statements(thread.body, making) }));
  return [...copies, { ...s, threads }];
}

/** A round of a loop may follow any other: what rounds write may be newer, what they only read is copied before the first. */
function entering(body: readonly Statement[], sides: Sides, span: Span): Statement[] {
  return [...sides].flatMap(([name, side]) => {
    const { cpu, cpuWrites, gpu, gpuWrites } = usesOf(body, name);
    const home = cpu && !gpuWrites ? homewardIf(name, side, span) : [];
    const up = gpu && !cpuWrites ? upwardIf(name, side, span) : [];
    side.hostNewer ||= cpuWrites;
    side.deviceNewer ||= gpuWrites;
    return [...home, ...up];
  });
}

function unmapped(s: Extract<Statement, { kind: 'munmap' }>, sides: Sides): Statement[] {
  const { region, from } = s.range;
  if (!sides.has(region.text)) return [s];
  if (from !== undefined) throw refusal(s, 'memory of the device is given back as a whole');
  sides.delete(region.text);
  return [s, { ...s, range: { ...s.range, region: deviceName(region) }, into: undefined, rc: undefined }];
}

type Allocation = Extract<Statement, { kind: 'alloc' }>;
type Access = Extract<Statement, { kind: 'access' }>;
type Copy = Extract<Statement, { kind: 'copy' }>;
type Fill = Extract<Statement, { kind: 'fill' }>;

function allocation(s: Allocation, { sides, used }: Making): Statement[] {
  if (s.memory === 'vram') return [s];
  if (!used.has(s.name.text)) return [s.memory === 'managed' ? { ...s, memory: 'malloc' } : s];
  sides.set(s.name.text, { hostNewer: false, deviceNewer: false });
  return [
    { ...s, memory: 'malloc' },
    { ...s, memory: 'vram', name: deviceName(s.name) },
  ];
}

function access(s: Access, sides: Sides): Statement[] {
  const side = sides.get(s.range.region.text);
  if (side === undefined) return [s];
  if (s.agent === 'gpu') return onDevice(s, sides, s.access === 'write' && s.range.from === undefined);
  const copies = homewardIf(s.range.region.text, side, s.span);
  side.hostNewer ||= s.access !== 'read';
  return [...copies, s];
}

/** An access or a fill of the GPU, which needs nothing of what was there where it writes the `whole` region. */
function onDevice(s: Access | Fill, sides: Sides, whole: boolean): Statement[] {
  const { region } = s.range;
  const side = sides.get(region.text);
  if (side === undefined) return [s];
  const copies = whole ? [] : upwardIf(region.text, side, s.span);
  side.hostNewer = false;
  side.deviceNewer ||= s.kind === 'fill' || s.access !== 'read';
  return [...copies, { ...s, range: { ...s.range, region: deviceName(region) } }];
}

/** A copy goes from where its source is newest to the device's side of its target. */
function copied(s: Copy, sides: Sides): Statement[] {
  const from = sides.get(s.range.region.text);
  const to = sides.get(s.to.region.text);
  const fromHost = to !== undefined && from?.hostNewer === true;
  const up = from === undefined || fromHost ? [] : upwardIf(s.range.region.text, from, s.span);
  const merged = to === undefined || s.to.from === undefined ? [] : upwardIf(s.to.region.text, to, s.span);
  if (to !== undefined) {
    to.hostNewer = false;
    to.deviceNewer = true;
  }
  const range = from === undefined || fromHost ? s.range : { ...s.range, region: deviceName(s.range.region) };
  const target = to === undefined ? s.to : { ...s.to, region: deviceName(s.to.region) };
  return [...up, ...merged, { ...s, range, to: target }];
}

/** The CPU looks at a region: what the GPU has of it comes home. */
function looks(name: string, sides: Sides, span: Span): Statement[] {
  const side = sides.get(name);
  return side === undefined ? [] : homewardIf(name, side, span);
}

/** A copy of the whole region to the host where the device's is newer; both are alike then. */
function homewardIf(name: string, side: Side, span: Span): Statement[] {
  if (!side.deviceNewer) return [];
  side.deviceNewer = false;
  const region = { text: name, span };
  return [copyOf(deviceName(region), region, span)];
}

/** The same to the device. */
function upwardIf(name: string, side: Side, span: Span): Statement[] {
  if (!side.hostNewer) return [];
  side.hostNewer = false;
  const region = { text: name, span };
  return [copyOf(region, deviceName(region), span)];
}

function deviceName({ text, span }: Name): Name {
  return { text: `${text}_device`, span };
}

function copyOf(from: Name, to: Name, span: Span): Statement {
  const whole = (region: Name) => ({ region, from: undefined, to: undefined, span });
  return { kind: 'copy', range: whole(from), to: whole(to), into: undefined, rc: undefined, span };
}
