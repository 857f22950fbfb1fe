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
/** Statements that a program with explicit memory cannot have. */
const REFUSED: ReadonlySet<string> = new Set([
  'fork',
  'in',
  'together',
  'mremap',
  'mprotect',
  'pin',
  'copy',
  'fill',
]);

/** A program with explicit memory, or one sentence on why it cannot be made. */
export type ExplicitProgram =
  { readonly ok: true; readonly program: ProgramFile } | { readonly ok: false; readonly message: string };

class Refusal extends Error {}

/**
 * The program as people write it without memory that moves by itself: each region that the GPU uses is private memory of the process
 * and a `vram` region beside it, of the name with `_device` behind. A launch works on the latter; before it comes a copy of what the
 * CPU has written since, and before the CPU looks, one of what the GPU has. Within loops each round begins as if both could be.
 */
export function withExplicitMemory(program: ProgramFile): ExplicitProgram {
  if (program.kind !== 'program') return { ok: false, message: 'only programs have an explicit form' };
  const used = usedByGpu(program.body);
  if (used.size === 0) return { ok: false, message: 'no kernel of the program uses memory' };
  const sides: Sides = new Map();
  try {
    const body = statements(program.body, used, sides);
    const end = [...sides].flatMap(([name, side]) =>
      side.deviceNewer ? [homeward(name, spanOf(program.body))] : [],
    );
    return { ok: true, program: { ...program, body: [...body, ...end], final: [] } };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, message: error.message };
    throw error;
  }
}

function usedByGpu(body: readonly Statement[]): Set<string> {
  const names = new Set<string>();
  const visit = (list: readonly Statement[]): void => {
    for (const s of list) {
      if (s.kind === 'access' && s.agent === 'gpu') names.add(s.range.region.text);
      if ('body' in s) visit(s.body);
    }
  };
  visit(body);
  return names;
}

function spanOf(body: readonly Statement[]): Span {
  return body.at(-1)?.span ?? { line: 1, column: 1, offset: 0, end: 0 };
}

function statements(body: readonly Statement[], used: ReadonlySet<string>, sides: Sides): Statement[] {
  return body.flatMap((s) => statement(s, used, sides));
}

function statement(s: Statement, used: ReadonlySet<string>, sides: Sides): Statement[] {
  if (REFUSED.has(s.kind)) throw new Refusal(`a program with '${s.kind}' has no explicit form here`);
  if (LEFT_OUT.has(s.kind)) return [];
  if (s.kind === 'alloc') return allocation(s, used, sides);
  if (s.kind === 'access') return access(s, sides);
  if (s.kind === 'munmap' && sides.has(s.range.region.text)) {
    const name = s.range.region.text;
    if (s.range.from !== undefined)
      throw new Refusal('a program that unmaps a part has no explicit form here');
    sides.delete(name);
    return [
      s,
      { ...s, range: { ...s.range, region: deviceName(s.range.region) }, into: undefined, rc: undefined },
    ];
  }
  if (!('body' in s)) return [s];
  // Any round may follow any other: both sides may be newer when one begins.
  for (const side of sides.values()) {
    side.hostNewer = true;
    side.deviceNewer ||= launches(s.body, sides);
  }
  return [{ ...s, body: statements(s.body, used, sides) }];
}

/** Whether kernels of these statements write to a region that is known. */
function launches(body: readonly Statement[], sides: Sides): boolean {
  return body.some((s) => {
    if ('body' in s) return launches(s.body, sides);
    return s.kind === 'access' && s.agent === 'gpu' && s.access !== 'read' && sides.has(s.range.region.text);
  });
}

type Allocation = Extract<Statement, { kind: 'alloc' }>;
type Access = Extract<Statement, { kind: 'access' }>;

function allocation(s: Allocation, used: ReadonlySet<string>, sides: Sides): Statement[] {
  if (!used.has(s.name.text) || s.memory === 'vram') return [s];
  sides.set(s.name.text, { hostNewer: false, deviceNewer: false });
  return [
    { ...s, memory: 'malloc' },
    { ...s, memory: 'vram', name: deviceName(s.name) },
  ];
}

function access(s: Access, sides: Sides): Statement[] {
  const { region } = s.range;
  const side = sides.get(region.text);
  if (side === undefined) return [s];
  if (s.agent === 'cpu') {
    const copies = side.deviceNewer ? [homeward(region.text, s.span)] : [];
    side.deviceNewer = false;
    side.hostNewer ||= s.access !== 'read';
    return [...copies, s];
  }
  const whole = s.access === 'write' && s.range.from === undefined;
  const copies = side.hostNewer && !whole ? [copyOf(region, deviceName(region), s.span)] : [];
  side.hostNewer = false;
  side.deviceNewer ||= s.access !== 'read';
  return [...copies, { ...s, range: { ...s.range, region: deviceName(region) } }];
}

function deviceName({ text, span }: Name): Name {
  return { text: `${text}_device`, span };
}

function homeward(name: string, span: Span): Statement {
  const region = { text: name, span };
  return copyOf(deviceName(region), region, span);
}

function copyOf(from: Name, to: Name, span: Span): Statement {
  const whole = (region: Name) => ({ region, from: undefined, to: undefined, span });
  return { kind: 'copy', range: whole(from), to: whole(to), into: undefined, rc: undefined, span };
}
