import type { Flags } from './flags.js';
import { RECORD, type Shape } from './shapes.js';

/** Bytes of a page. */
const PAGE = 4096;
/** Where a record has its fence, and its datum. */
const FENCE = 144;
const DATUM = 152;
/** Buffers that one execution touches where it has to fault several times. */
const MULTI_FAULT = 4;
/** How often the CPU looks for the fence while the GPU works. */
const POLLS = 3;

/** One agent of a program: what its statements are on. */
interface Agent {
  /** Behind its names: ``, `0`, `1`. */
  readonly suffix: string;
  /** ` on D1`, or nothing. */
  readonly on: string;
}

/** A flag set in a shape as a program of the language. */
export function execProgram(flags: Flags, shape: Shape): string {
  const several = shape.agents === 'one' ? [''] : ['0', '1'];
  const own = shape.agents === 'threads';
  const agents = several.map((suffix) => ({ suffix, on: own ? ` on D${suffix}` : '' }));
  const bodies = agents.map((agent) => new ExecWords(flags, shape, agent).text());
  if (shape.agents === 'one') return bodies.join('\n');
  const process = shape.agents === 'process';
  return [
    own ? 'device D0 device D1' : '',
    process ? 'process p0 process p1' : '',
    'together {',
    ...bodies.map((body, i) => `thread T${i}${process ? ` in p${i}` : ''} {\n${body}\n}`),
    '}',
  ].join('\n');
}

/** The number of an execution: as text, and whether it is odd. */
interface Turn {
  readonly i: string;
  readonly odd: boolean;
}

class ExecWords {
  private readonly flags: Flags;
  private readonly shape: Shape;
  private readonly agent: Agent;
  /** Bytes of a buffer, and of a quarter of it where an execution touches four. */
  private readonly bytes: number;
  private readonly part: number;
  /** Prefetches go to the GPU, unless the memory cannot. */
  private readonly goes: boolean;

  constructor(flags: Flags, shape: Shape, agent: Agent) {
    this.flags = flags;
    this.shape = shape;
    this.agent = agent;
    const records = shape.executions * (shape.stride || 1) * RECORD;
    this.part = shape.bytes || Math.ceil(records / PAGE) * PAGE;
    const several = this.part * (flags.multiFault ? MULTI_FAULT : 1);
    this.bytes = flags.huge ? Math.ceil(several / 2 ** 21) * 2 ** 21 : several;
    this.goes = !(flags.race || flags.file || flags.lock || flags.shared || flags.huge);
  }

  /** All executions: the first two apart, the others by twos. */
  text(): string {
    const { flags, shape } = this;
    const { suffix } = this.agent;
    const turns: Turn[] = [
      { i: '0', odd: false },
      { i: '1', odd: true },
    ];
    const lines = [...this.before(), ...turns.slice(0, shape.executions).flatMap((turn) => this.turn(turn))];
    if (shape.executions > 2) {
      const j = `j${suffix}`;
      lines.push(
        `for ${j} = 1..${shape.executions / 2} {`,
        ...this.turn({ i: `(2 * ${j})`, odd: false }),
        ...this.turn({ i: `(2 * ${j} + 1)`, odd: true }),
        '}',
      );
    }
    if (flags.lock && !flags.remap) lines.push(`munlock ${this.buffer('0', false)}`);
    return lines.join('\n');
  }

  /** What there is before the first execution. */
  private before(): string[] {
    const { flags } = this;
    const first = this.buffer('0', false);
    if (flags.free)
      return [`malloc base${this.agent.suffix} ${this.bytes}B`, `munmap base${this.agent.suffix}`];
    if (flags.fresh) return [];
    const lines = [`${this.kind()} ${first} ${this.bytes}B`, ...this.written(first)];
    if (flags.lock) lines.push(`mlock ${first}`);
    if (flags.prefetch && !this.goes) lines.push(...this.prefetch(first, 'cpu'));
    return lines;
  }

  private kind(): string {
    const { huge, file, shared } = this.flags;
    return huge ? 'hugetlb' : file ? 'file' : shared ? 'shared' : 'malloc';
  }

  private written(buffer: string): string[] {
    return this.flags.untouched ? [] : [`cpu write ${buffer} = 5`];
  }

  /** The buffer of execution `i`: `a`, where it stays, or the place that it has moved to. */
  private buffer(i: string, odd: boolean): string {
    const { suffix } = this.agent;
    if (this.flags.fresh)
      return i === '0' ? `a${suffix}` : i === '1' ? `b${suffix}` : odd ? `d${suffix}` : `c${suffix}`;
    return this.flags.remap && odd ? `b${suffix}` : `a${suffix}`;
  }

  private turn(turn: Turn): string[] {
    const { flags } = this;
    const buffer = this.buffer(turn.i, turn.odd);
    const lines = flags.fresh ? this.allocated(turn, buffer) : [];
    if (flags.swizzle)
      lines.push(...this.asked(`advise ${buffer} preferred ${turn.odd ? 'gpu' : 'cpu'}`, 'advice'));
    lines.push(...this.executed(turn, buffer));
    if (flags.lock && turn.i === '0') lines.push(`munlock ${buffer}`);
    const now = flags.remap ? this.buffer(turn.i, !turn.odd) : buffer;
    if (flags.remap) lines.push(...this.moved(buffer, now));
    if (!flags.everyOther || turn.odd) lines.push(...this.checked(turn.i, now));
    if (flags.everyOther && turn.odd) lines.push(...this.checked(`(${turn.i} - 1)`, now));
    if (flags.fresh && flags.free) lines.push(`munmap ${buffer}`);
    return lines;
  }

  /** A new buffer: at the address of the one that was freed, or anywhere. Later ones of `mmap` are shared. */
  private allocated({ i }: Turn, buffer: string): string[] {
    const { flags, agent, bytes } = this;
    const place = flags.free ? ` at base${agent.suffix}` : '';
    const kind = i === '0' ? this.kind() : flags.mmap ? 'shared' : 'malloc';
    return [`${kind} ${buffer} ${bytes}B${place}`, ...this.written(buffer)];
  }

  /** The CPU stores a batch, the GPU fetches it and stores the datum, in each part that it touches. */
  private executed({ i }: Turn, buffer: string): string[] {
    const { flags, agent } = this;
    const { suffix, on } = agent;
    const batch = this.at(buffer, i, 0);
    const lines = [`cpu write ${batch} = ${i} + 1 byte ${this.byte(i, 0)} width 4`];
    if (flags.prefetch && (this.goes || flags.fresh || flags.remap))
      lines.push(...this.prefetch(buffer, this.goes ? 'gpu' : 'cpu'));
    const gpu = [
      `gpu read ${batch} byte ${this.byte(i, 0)} width 4${on} -> command${suffix} rc fetched${suffix}`,
      `assert fetched${suffix} == 0 /\\ command${suffix} == ${i} + 1`,
      ...this.parts().flatMap((pages) => [
        `gpu write ${this.at(buffer, i, DATUM, pages)} = ${value(i)} byte ${this.byte(i, DATUM)} width 4${on} rc stored${suffix}`,
        `assert stored${suffix} == 0`,
      ]),
    ];
    if (!flags.race) return [...lines, ...gpu];
    const fence = `${this.at(buffer, i, FENCE)} byte ${this.byte(i, FENCE)} width 4`;
    return [
      ...lines,
      'together {',
      `thread G${suffix}x${this.threads++} {`,
      ...gpu,
      `cpu write ${this.at(buffer, i, FENCE)} = ${value(i)} byte ${this.byte(i, FENCE)} width 4`,
      '}',
      `thread C${suffix}x${this.threads++} { repeat ${POLLS} { cpu read ${fence} -> seen${suffix} } }`,
      '}',
    ];
  }

  private threads = 0;

  private moved(from: string, to: string): string[] {
    const { dontunmap, readOnly } = this.flags;
    return [
      ...(readOnly ? [`mprotect ${from} r`] : []),
      `mremap ${from} to ${to}${dontunmap ? ' dontunmap' : ''}`,
      ...(readOnly ? [`mprotect ${to} rw`] : []),
      ...(dontunmap ? [`munmap ${from}`] : []),
    ];
  }

  /** The CPU has the value that was stored last: in the process, and in its child where one is forked. */
  private checked(i: string, buffer: string): string[] {
    const { forkRead, forkReadAfter } = this.flags;
    const read = this.parts().flatMap((pages) => this.read(i, buffer, pages, 'x'));
    if (!forkRead) return read;
    const n = this.threads++;
    const inChild = this.read(i, buffer, 0, 'y').join(' ');
    const inParent = forkReadAfter ? 'sleep 1ns' : read.join(' ');
    return [
      `fork child${n}`,
      `together { thread K${n} in child${n} { ${inChild} } thread P${n} { ${inParent} } }`,
      `wait child${n}`,
      ...(forkReadAfter ? read : []),
    ];
  }

  private read(i: string, buffer: string, pages: number, name: string): string[] {
    const into = `${name}${this.agent.suffix}`;
    return [
      `cpu read ${this.at(buffer, i, DATUM, pages)} byte ${this.byte(i, DATUM)} width 4 -> ${into}`,
      `assert ${into} == ${value(i)}`,
    ];
  }

  /** That a driver has no call that moves pages home it may also say by `-EINVAL`. */
  private prefetch(buffer: string, to: 'gpu' | 'cpu'): string[] {
    const call = `prefetch ${buffer} to ${to}`;
    return to === 'gpu'
      ? this.asked(call, 'prefetch')
      : this.asked(call, 'prefetch_home', ['EOPNOTSUPP', 'EINVAL']);
  }

  /** A call that a driver may not have, and that works where it has it. */
  private asked(call: string, name: string, refusals: readonly string[] = ['EOPNOTSUPP']): string[] {
    const { suffix, on } = this.agent;
    const rc = `ask_${name}${suffix}`;
    const refused = refusals.map((errno) => ` \\/ ${rc} == -${errno}`).join('');
    return [`${call}${on} rc ${rc}`, `assert ${rc} == 0${refused}`];
  }

  /** The first pages of the parts that an execution touches. */
  private parts(): readonly number[] {
    const count = this.flags.multiFault ? MULTI_FAULT : 1;
    return Array.from({ length: count }, (_, part) => (part * this.part) / PAGE);
  }

  private offset(i: string, offset: number): string {
    return `(${i} * ${RECORD * (this.shape.stride || 1)} + ${offset})`;
  }

  /** The page in which execution `i` has what lies at `offset` of its record. */
  private at(buffer: string, i: string, offset: number, pages = 0): string {
    const at = this.offset(i, offset);
    return `${buffer}[${pages} + (${at} - ${at} % ${PAGE}) / ${PAGE}]`;
  }

  private byte(i: string, offset: number): string {
    return `(${this.offset(i, offset)} % ${PAGE})`;
  }
}

/** What execution `i` stores: unlike all others, and unlike what was there. */
function value(i: string): string {
  return `(${i} * 4099 + 77)`;
}
