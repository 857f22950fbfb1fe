import { PAGE_SIZE } from '@hmm/kernel';
import { pagesOf } from '@hmm/kernel/internal';
import {
  type BindScope,
  bindStatement,
  evaluateNumber,
  type Expr,
  isProblem,
  operationOf,
  type OperationStatement,
  type PageRange,
  type Problem,
  type Region,
} from '@hmm/operations';
import { type MemoryKind, type Name, type Range, regionPage, type Span } from '@hmm/operations/internal';
import {
  type ControlStatement,
  DEFAULT_DEVICE,
  MAIN_PROCESS,
  type ProgramFile,
  type SourceError,
  type Statement,
} from '@hmm/workload';
import { isControl } from '@hmm/workload/internal';
import { CLIENT_SETTING } from '../world/client-devices.js';
import type { Instruction, LitmusProgram } from './program.js';

/** What {@link compileLitmus} found. */
export type CompileResult =
  | { readonly ok: true; readonly program: LitmusProgram }
  | { readonly ok: false; readonly errors: readonly SourceError[] };

/**
 * Resolves the names of a parsed litmus test and evaluates its sizes.
 * @param path the name that errors carry.
 * @param parameters values for its `let`s, by name.
 */
export function compileLitmus(
  file: ProgramFile,
  path: string,
  parameters: ReadonlyMap<string, number> = new Map(),
): CompileResult {
  try {
    return { ok: true, program: new Compiler(file, parameters).compile() };
  } catch (error) {
    if (!(error instanceof LitmusProblem)) throw error;
    const { span, message } = error;
    return { ok: false, errors: [{ file: path, line: span.line, column: span.column, message }] };
  }
}

/** Something that a litmus test cannot say, and where. */
class LitmusProblem extends Error {
  readonly span: Span;

  constructor({ span, message }: Problem) {
    super(message);
    this.span = span;
  }
}

/** Names and numbers in force while statements are compiled. */
class Compiler implements BindScope {
  private readonly regions = new Map<string, Region>();
  private readonly values = new Map<string, number>();
  private readonly devices = new Map<string, number>();
  private readonly file: ProgramFile;
  private readonly parameters: ReadonlyMap<string, number>;

  constructor(file: ProgramFile, parameters: ReadonlyMap<string, number>) {
    this.file = file;
    this.parameters = parameters;
    const used = { private: 0, coherent: 2 };
    for (const { name, client = 'private', span } of file.devices) {
      if (client !== 'private' && client !== 'coherent')
        throw new LitmusProblem({ span, message: `a device is private or coherent, not ${client}` });
      this.devices.set(name.text, used[client]++);
    }
    if (file.devices.length === 0) this.devices.set(DEFAULT_DEVICE, 0);
  }

  /** The whole test. @throws LitmusProblem */
  compile(): LitmusProgram {
    const { file } = this;
    const init = this.body(file.body);
    return {
      name: file.name,
      doc: file.doc,
      settings: new Map(file.settings.map(({ key, value }) => [key.text, value])),
      settingPlaces: new Map(file.settings.map(({ key }) => [key.text, key.span])),
      init,
      threads: file.threads.map((thread) => ({
        name: thread.name.text,
        process: thread.process?.text ?? MAIN_PROCESS,
        body: this.body(thread.body),
      })),
      final: this.body(file.final),
      regions: this.regions,
      quantifier: file.condition?.quantifier,
      condition: file.condition?.condition,
      values: this.values,
    };
  }

  /** @inheritdoc */
  lookup(name: string): number | undefined {
    return this.values.get(name);
  }

  /** @inheritdoc */
  query(): undefined {
    return undefined;
  }

  /** @inheritdoc */
  range(range: Range): PageRange | Problem {
    const { span } = range;
    const region = this.regions.get(range.region.text);
    if (region === undefined) return { span, message: `there is no region ${range.region.text} yet` };
    const from = range.from === undefined ? 0 : evaluateNumber(range.from, this);
    if (typeof from === 'object') return from;
    const last = range.from === undefined ? region.pages : from + 1;
    const to = range.to === undefined ? last : evaluateNumber(range.to, this);
    if (typeof to === 'object') return to;
    if (to <= from) return { span, message: 'the range is empty' };
    return { region, vpn: region.vpn + from, pages: to - from };
  }

  /** @inheritdoc */
  allocate(name: Name, bytes: number, memory: MemoryKind, place?: Name): PageRange | Problem {
    const at = place === undefined ? undefined : this.regions.get(place.text);
    if (place !== undefined && at === undefined)
      return { span: place.span, message: `there is no region ${place.text} yet` };
    if (memory !== 'managed' && memory !== 'vram')
      return this.newRegion(name.text, bytes, undefined, at?.vpn);
    if (this.file.settings.some(({ key }) => key.text === CLIENT_SETTING))
      return this.newRegion(name.text, bytes, this.firstDevice(), at?.vpn);
    return { span: name.span, message: `only a driver has managed memory: set ${CLIENT_SETTING}` };
  }

  /** @inheritdoc */
  rename(from: Name, name: Name): PageRange | Problem {
    const region = this.regions.get(from.text);
    if (region === undefined) return { span: from.span, message: `there is no region ${from.text} yet` };
    const renamed = { ...region, name: name.text };
    this.regions.set(name.text, renamed);
    return { region: renamed, vpn: region.vpn, pages: region.pages };
  }

  /** @inheritdoc */
  target(range: Range, from: PageRange): PageRange | Problem {
    if (!this.regions.has(range.region.text)) this.newRegion(range.region.text, from.pages * PAGE_SIZE);
    const to = this.range(range);
    return 'message' in to ? to : { ...to, pages: from.pages };
  }

  /** @inheritdoc */
  deviceNamed(name: Name | undefined, span: Span): string | Problem {
    const text = name?.text ?? this.firstName();
    const device = this.devices.get(text);
    if (device === undefined) return { span: name?.span ?? span, message: `there is no device ${text}` };
    return String(device);
  }

  private firstName(): string {
    return [...this.devices.keys()][0] ?? DEFAULT_DEVICE;
  }

  private firstDevice(): string {
    return String(this.devices.get(this.firstName()) ?? 0);
  }

  private newRegion(name: string, bytes: number, managedBy?: string, at?: number): PageRange {
    const pages = pagesOf(bytes);
    const vpn = at ?? regionPage(this.regions.size, 0);
    const region: Region = { name, vpn, pages, bytes, managedBy, process: MAIN_PROCESS };
    this.regions.set(name, region);
    return { region, vpn, pages };
  }

  /** The value of an expression that must be known before the test runs. */
  private number(expr: Expr): number {
    const value: number | Problem = evaluateNumber(expr, this);
    if (isProblem(value)) throw new LitmusProblem(value);
    return value;
  }

  private body(statements: readonly Statement[]): Instruction[] {
    return statements.flatMap((statement) =>
      isControl(statement) ? this.control(statement) : [this.operation(statement)],
    );
  }

  private operation(s: OperationStatement): Instruction {
    const { injects, spawns } = operationOf(s);
    if (spawns === true || injects === true) throw noSuch(s);
    const operation = bindStatement(s, this);
    if ('message' in operation) throw new LitmusProblem(operation);
    const into = 'into' in s ? s.into?.text : undefined;
    const rc = 'rc' in s ? s.rc?.text : undefined;
    return { kind: 'operation', operation, into, rc };
  }

  private control(s: ControlStatement): Instruction[] {
    switch (s.kind) {
      case 'let':
        this.values.set(s.name.text, this.parameters.get(s.name.text) ?? this.number(s.value));
        return [];
      case 'in':
        return [{ kind: 'in', process: s.process.text, body: this.body(s.body) }];
      case 'block':
        return this.body(s.body);
      case 'repeat':
        return Array.from({ length: this.number(s.count) }, () => this.body(s.body)).flat();
      case 'for':
        return this.forLoop(s);
      case 'assert':
        return [{ kind: 'assert', condition: s.condition, values: new Map(this.values) }];
      case 'together':
        throw noSuch(s);
    }
  }

  private forLoop(s: Extract<ControlStatement, { kind: 'for' }>): Instruction[] {
    const instructions: Instruction[] = [];
    const to = this.number(s.to);
    for (let i = this.number(s.from); i < to; i++) {
      this.values.set(s.name.text, i);
      instructions.push(...this.body(s.body));
    }
    return instructions;
  }
}

function noSuch({ span, kind }: Statement): LitmusProblem {
  return new LitmusProblem({ span, message: `a litmus test has no '${kind}'` });
}
