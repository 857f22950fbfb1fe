import { PAGE_SIZE } from '@hmm/kernel';
import {
  DEFAULT_DEVICE,
  evaluateNumber,
  type Expr,
  isProblem,
  MAIN_PROCESS,
  type Name,
  type Problem,
  type ProgramFile,
  type Range,
  type Scope,
  type SourceError,
  type Span,
  type Statement,
} from '@hmm/workload';
import type { PageRange } from '../world/operation.js';
import { LitmusProblem } from './litmus-problem.js';
import type { Instruction, LitmusProgram, LitmusRegion } from './program.js';
import { operationOf } from './statement-operation.js';

/** What {@link compileLitmus} found. */
export type CompileResult =
  | { readonly ok: true; readonly program: LitmusProgram }
  | { readonly ok: false; readonly errors: readonly SourceError[] };

/** Resolves the names of a parsed litmus test and evaluates its sizes. @param file the name that errors carry. */
export function compileLitmus(file: ProgramFile, path: string): CompileResult {
  try {
    return { ok: true, program: new Compiler(file).compile() };
  } catch (error) {
    if (!(error instanceof LitmusProblem)) throw error;
    const { span, message } = error;
    return { ok: false, errors: [{ file: path, line: span.line, column: span.column, message }] };
  }
}

/** Names and numbers in force while statements are compiled. */
export class Compiler implements Scope {
  private readonly regions = new Map<string, LitmusRegion>();
  private readonly values = new Map<string, number>();
  private readonly devices = new Map<string, number>();
  private readonly file: ProgramFile;

  constructor(file: ProgramFile) {
    this.file = file;
    const used = { private: 0, coherent: 2 };
    for (const device of file.devices) {
      const kind = device.client === 'coherent' ? 'coherent' : 'private';
      this.devices.set(device.name.text, used[kind]++);
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
      settings: new Map(file.settings.map((setting) => [setting.key.text, setting.value])),
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

  /** The value of an expression that must be known before the test runs. */
  number(expr: Expr): number {
    const value: number | Problem = evaluateNumber(expr, this);
    if (typeof value === 'number') return value;
    if (isProblem(value)) throw new LitmusProblem(value.span, value.message);
    throw new LitmusProblem(expr.span, 'a number is needed here');
  }

  /** The number of a device. */
  device(name: Name | undefined, span: Span): number {
    const text = name?.text ?? [...this.devices.keys()][0] ?? DEFAULT_DEVICE;
    const device = this.devices.get(text);
    if (device === undefined) throw new LitmusProblem(name?.span ?? span, `there is no device ${text}`);
    return device;
  }

  /** Pages of a range. */
  range(range: Range): PageRange {
    const region = this.regions.get(range.region.text);
    if (region === undefined)
      throw new LitmusProblem(range.span, `there is no region ${range.region.text} yet`);
    const from = range.from === undefined ? 0 : this.number(range.from);
    const to =
      range.to !== undefined ? this.number(range.to) : range.from === undefined ? region.pages : from + 1;
    if (to <= from) throw new LitmusProblem(range.span, 'the range is empty');
    return { region: region.region, offset: from, pages: to - from };
  }

  /** Makes room for a region of `bytes` bytes. */
  allocate(name: Name, bytes: number): PageRange {
    const pages = Math.ceil(bytes / PAGE_SIZE);
    if (pages < 1) throw new LitmusProblem(name.span, 'a region has at least one page');
    const region = this.regions.size;
    this.regions.set(name.text, { region, pages });
    return { region, offset: 0, pages };
  }

  /** Where an `mremap` moves to: a region that is there, or a new one of that name. */
  target(range: Range, pages: number): PageRange {
    if (!this.regions.has(range.region.text)) this.allocate(range.region, pages * PAGE_SIZE);
    const to = this.range(range);
    return { ...to, pages };
  }

  private body(statements: readonly Statement[]): Instruction[] {
    return statements.flatMap((statement) => this.statement(statement));
  }

  private statement(s: Statement): Instruction[] {
    switch (s.kind) {
      case 'let':
        this.values.set(s.name.text, this.number(s.value));
        return [];
      case 'process':
        return [{ kind: 'process', process: s.name.text }];
      case 'fork':
        return [{ kind: 'fork', child: s.child.text }];
      case 'wait':
        return [{ kind: 'exit', child: s.child.text }];
      case 'in':
        return [{ kind: 'in', process: s.process.text, body: this.body(s.body) }];
      case 'block':
        return this.body(s.body);
      case 'repeat':
        return Array.from({ length: this.number(s.count) }, () => this.body(s.body)).flat();
      case 'for':
        return this.forLoop(s);
      case 'assert':
        return [{ kind: 'assert', condition: s.condition }];
      default:
        return [operationOf(s, this)];
    }
  }

  private forLoop(s: Extract<Statement, { kind: 'for' }>): Instruction[] {
    const instructions: Instruction[] = [];
    const to = this.number(s.to);
    for (let i = this.number(s.from); i < to; i++) {
      this.values.set(s.name.text, i);
      instructions.push(...this.body(s.body));
    }
    return instructions;
  }
}
