import type { Scope } from './language/evaluate.js';
import type { Expr, Name, Problem, Range, Span } from './language/tree.js';
import type { MemoryKind, PageRange } from './memory-region.js';
import type { RecordedWords } from './recorded/words.js';

/** Signs that a part of a statement may have. */
export type Sign = '=' | '+=' | ':';

/**
 * Takes a part of a statement from its text. `use` tells several calls of one method within one part apart, from 0 to 7: the
 * grammar is written down once, before there is a text.
 */
export interface PartReader {
  word(text: string, use?: number): void;
  oneOf<K extends string>(words: readonly [K, ...K[]], use?: number): K;
  sign(sign: Sign, use?: number): void;
  /** What `body` takes, or undefined where the text does not begin it. */
  maybe<T>(body: () => T, use?: number): T | undefined;
  /** What the alternative takes that the text begins. */
  either<T>(alternatives: readonly (() => T)[], use?: number): T;
  name(use?: number): Name;
  range(use?: number): Range;
  /** A value: sums and products. */
  sum(use?: number): Expr;
  /** A number, a name, or anything in parentheses. */
  primary(use?: number): Expr;
}

/** What a number counts. */
export type Dimension = 'number' | 'bytes' | 'time';

/** Checks what the grammar cannot. */
export interface PartCheck {
  range(range: Range): void;
  /** A region that there is. */
  regionNamed(name: Name): void;
  expect(expr: Expr, wanted: Dimension): void;
  device(name: Name): void;
  process(name: Name): void;
  fail(span: Span, message: string): void;
}

/** Takes down the names that statements define. */
export interface Declarations {
  region(name: Name): void;
  /** A region that may be there already. */
  target(name: Name): void;
  startedProcess(name: Name): void;
}

/** What names and numbers mean while a statement runs. */
export interface BindScope extends Scope {
  /** The pages of a region that is there. */
  range(range: Range): PageRange | Problem;
  /** Room for a new region: its own, or at the address of the region `place`. */
  allocate(name: Name, bytes: number, memory: MemoryKind, place?: Name): PageRange | Problem;
  /** The pages of the region `from`, which is called `name` from here on. */
  rename(from: Name, name: Name): PageRange | Problem;
  /** Where pages move to: a region that is there, or a new one of that name. */
  target(range: Range, from: PageRange): PageRange | Problem;
  /** The device of a name, or the one that statements mean which name none. */
  deviceNamed(name: Name | undefined, span: Span): string | Problem;
}

/**
 * A part of a statement: how it is read, checked and written, and what it means to the operation. `S` are the fields that it
 * adds to the statement's tree, `V` those that it adds to what the operation gets.
 */
export interface Part<S extends object, V extends object> {
  /** Words with a meaning here, and names elsewhere. */
  readonly words: readonly string[];
  /** Words that begin a statement with this part, and so cannot name anything. */
  readonly begins: readonly string[];
  read(reader: PartReader): S;
  /** Its text; empty where the text has nothing of it. */
  format(syntax: S): string;
  check(syntax: S, check: PartCheck): void;
  declare(syntax: S, names: Declarations): void;
  /** What it means where the statement runs. */
  bind(syntax: S, scope: BindScope, span: Span): V | Problem;
}

/** A part of the line in which an operation is recorded. */
export interface RecordedPart<V extends object> {
  readRecorded(words: RecordedWords): V;
  /** The words, separated by one space. */
  writeRecorded(value: V): string;
}

/** A part with `given`; what it leaves out does nothing. */
export function part<S extends object, V extends object>(
  given: Pick<Part<S, V>, 'read' | 'format' | 'bind'> & Partial<Part<S, V>>,
): Part<S, V> {
  return { words: [], begins: [], check: nothing, declare: nothing, ...given };
}

function nothing(): void {
  // There is nothing to check, or to declare.
}

/** An object with the one field `name`. */
export function field<N extends string, V>(name: N, value: V): Readonly<Record<N, V>> {
  // The compiler does not see that a computed key is the whole record.
  return { [name]: value } as Record<N, V>;
}

/** Whether what was bound is a problem. */
export function isUnbound(value: object): value is Problem {
  return 'message' in value;
}
