import { type Declarations, type Expr, operationOf, type OperationStatement } from '@hmm/operations';
import {
  type Dimension as Wanted,
  type Name,
  numberName,
  type PartCheck,
  type Range,
  type Span,
  VALUE_WORDS,
} from '@hmm/operations/internal';
import type { ControlStatement, ProgramFile, SourceError, Statement, ThreadDecl } from './ast.js';
import { isControl } from './control.js';
import { isName } from './tokens.js';

/** What a number counts. `any` is not known before the program runs. */
type Dimension = Wanted | 'any';

const DIMENSION_TEXT: Readonly<Record<Dimension, string>> = {
  number: 'a plain number',
  bytes: 'a size with its unit (64KiB, 8pages)',
  time: 'a time with its unit (5ms)',
  any: 'a value',
};

/** The device that a file has when it declares none. */
export const DEFAULT_DEVICE = 'D0';
/** The process that every file begins with. */
export const MAIN_PROCESS = 'main';

/**
 * Checks what the grammar cannot: every name means something and is made once, sizes are sizes, times are times,
 * and a read is not told what to store. Returns all faults, in the order of the text.
 */
export function checkProgram(program: ProgramFile, file: string): SourceError[] {
  return new Checker(program, file).run();
}

class Checker implements PartCheck, Declarations {
  private readonly errors: SourceError[] = [];
  private readonly regions = new Set<string>();
  private readonly values = new Map<string, Dimension>();
  private readonly results = new Set<string>();
  private readonly processes = new Set<string>([MAIN_PROCESS]);
  private readonly devices = new Set<string>();
  private readonly threads = new Set<string>();
  private readonly program: ProgramFile;
  private readonly file: string;

  constructor(program: ProgramFile, file: string) {
    this.program = program;
    this.file = file;
  }

  run(): SourceError[] {
    const { program } = this;
    for (const { name } of program.devices) this.declare(this.devices, name, 'device');
    if (program.devices.length === 0) this.devices.add(DEFAULT_DEVICE);
    this.collect(program.body);
    this.declareThreads(program.threads);
    this.collect(program.final);
    this.statements(program.body);
    for (const thread of program.threads) this.thread(thread);
    this.statements(program.final);
    if (program.condition !== undefined) this.expression(program.condition.condition);
    if (program.kind === 'program' && program.threads.length > 0) {
      this.fail(
        program.threads[0]?.span,
        'a table of agents belongs to a litmus test; a program uses together { }',
      );
    }
    return this.errors;
  }

  /** Makes the names that statements define known, so that a condition may speak of them all. */
  private collect(statements: readonly Statement[]): void {
    for (const s of statements) {
      if (!isControl(s)) this.collectNames(s);
      else if (s.kind === 'together') this.declareThreads(s.threads);
      else if ('body' in s) this.collect(s.body);
    }
  }

  private collectNames(s: OperationStatement): void {
    for (const part of operationOf(s).parts) part.declare(s, this);
    if ('into' in s) for (const name of [s.into, s.rc]) if (name !== undefined) this.result(name);
  }

  /** @inheritdoc */
  region(name: Name): void {
    this.declare(this.regions, name, 'region');
  }

  /** @inheritdoc */
  target(name: Name): void {
    this.regions.add(name.text);
  }

  private declareThreads(threads: readonly ThreadDecl[]): void {
    for (const thread of threads) {
      this.declare(this.threads, thread.name, 'agent');
      this.collect(thread.body);
    }
  }

  private statements(body: readonly Statement[]): void {
    for (const statement of body) this.statement(statement);
  }

  private statement(s: Statement): void {
    if (isControl(s)) this.control(s);
    else {
      const definition = operationOf(s);
      for (const part of definition.parts) part.check(s, this);
      definition.check?.(s, this);
    }
  }

  private control(s: ControlStatement): void {
    switch (s.kind) {
      case 'let':
        this.usable(s.name);
        this.values.set(s.name.text, this.expression(s.value));
        break;
      case 'assert':
        this.expression(s.condition);
        break;
      case 'together':
        for (const thread of s.threads) this.thread(thread);
        break;
      case 'in':
        this.process(s.process);
        this.statements(s.body);
        break;
      case 'repeat':
        this.expect(s.count, 'number');
        this.statements(s.body);
        break;
      case 'for':
        this.usable(s.name);
        this.expect(s.from, 'number');
        this.expect(s.to, 'number');
        this.values.set(s.name.text, 'number');
        this.statements(s.body);
        break;
      case 'block':
        this.statements(s.body);
    }
  }

  private thread(thread: ThreadDecl): void {
    if (thread.process !== undefined) this.process(thread.process);
    this.statements(thread.body);
  }

  /** @inheritdoc */
  device(name: Name): void {
    this.known(this.devices, name, 'device');
  }

  /** @inheritdoc */
  process(name: Name): void {
    this.known(this.processes, name, 'process');
  }

  /** @inheritdoc */
  startedProcess(name: Name): void {
    this.declare(this.processes, name, 'process');
  }

  /** @inheritdoc */
  regionNamed(name: Name): void {
    this.known(this.regions, name, 'region');
  }

  /** @inheritdoc */
  range(range: Range): void {
    this.regionNamed(range.region);
    if (range.from !== undefined) this.expect(range.from, 'number');
    if (range.to !== undefined) this.expect(range.to, 'number');
  }

  /** @inheritdoc */
  expect(expr: Expr, wanted: Wanted): void {
    const got = this.expression(expr);
    if (got !== wanted && got !== 'any') this.fail(expr.span, `expected ${DIMENSION_TEXT[wanted]}`);
  }

  private expression(expr: Expr): Dimension {
    switch (expr.kind) {
      case 'number':
        if (expr.unit === '') return 'number';
        return ['ns', 'us', 'ms', 's'].includes(expr.unit) ? 'time' : 'bytes';
      case 'unary':
        return this.expression(expr.operand);
      case 'list':
        for (const item of expr.items) if (item !== undefined) this.expression(item);
        return 'any';
      case 'query':
        if (expr.query !== 'count') this.known(this.regions, expr.name, 'region');
        if (expr.index !== undefined) this.expect(expr.index, 'number');
        return 'any';
      case 'ref':
        return this.reference(expr);
      case 'binary':
        return combine(expr.op, this.expression(expr.left), this.expression(expr.right));
    }
  }

  private reference(expr: Extract<Expr, { kind: 'ref' }>): Dimension {
    const { text } = expr.name;
    if (expr.index !== undefined) this.expect(expr.index, 'number');
    if (expr.agent !== undefined) {
      this.known(this.threads, expr.agent, 'agent');
      this.known(this.results, expr.name, 'result');
      return 'any';
    }
    const constant = numberName(text) !== undefined || VALUE_WORDS.includes(text);
    const made = this.values.get(text);
    if (made !== undefined) return made;
    if (this.results.has(text) || this.regions.has(text) || constant) return 'any';
    this.fail(expr.name.span, `${text} is not known here: no let, result or region has that name`);
    return 'any';
  }

  private declare(names: Set<string>, name: Name, what: string): void {
    if (names.has(name.text)) this.fail(name.span, `there is already a ${what} called ${name.text}`);
    this.usable(name);
    names.add(name.text);
  }

  private result(name: Name): void {
    this.usable(name);
    this.results.add(name.text);
  }

  private usable(name: Name): void {
    if (!isName(name.text)) this.fail(name.span, `'${name.text}' cannot be a name`);
  }

  private known(names: ReadonlySet<string>, name: Name, what: string): void {
    if (names.has(name.text)) return;
    const list = names.size === 0 ? `no ${what} is defined` : `defined: ${[...names].join(', ')}`;
    this.fail(name.span, `there is no ${what} called ${name.text} (${list})`);
  }

  /** @inheritdoc */
  readonly fail = (span: Span | undefined, message: string): void => {
    this.errors.push({ file: this.file, line: span?.line ?? 1, column: span?.column ?? 1, message });
  };
}

function combine(op: string, left: Dimension, right: Dimension): Dimension {
  if (!['+', '-', '*', '/', '%'].includes(op)) return 'number';
  if (left === 'any' || right === 'any') return 'any';
  if (op === '/' && left === right) return 'number';
  return left === 'number' ? right : left;
}
