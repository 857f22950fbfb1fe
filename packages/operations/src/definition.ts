import type { Task } from '@hmm/kernel';
import type { OperationContext } from './context.js';
import type { Name, Results, Span } from './language/tree.js';
import type { Outcome } from './outcome.js';
import type { Part, PartCheck } from './part.js';
import type { RecordedLine } from './recorded/line.js';

/** Any part. */
export type AnyPart = Part<object, object>;

export type Both<T> = (T extends unknown ? (value: T) => void : never) extends (value: infer I) => void
  ? I
  : never;
export type SyntaxOf<P> = P extends Part<infer S, object> ? S : never;
export type ValueOf<P> = P extends Part<object, infer V> ? V : never;

/** The fields that parts add to a statement. */
export type SyntaxOfParts<P extends readonly AnyPart[]> = Both<SyntaxOf<P[number]>> & object;
/** The fields that an operation with these parts gets. */
export type Args<P extends readonly AnyPart[]> = Both<ValueOf<P[number]>> & object;

/** Whether a statement names what it returned: `-> NAME rc NAME` at its end. */
export type NamesResults = true | false;

/**
 * One operation: how a program says it, what it does, what it returns, how it is recorded. This is all that there is about an
 * operation; programs, litmus tests, recorded tests and scripts use it.
 */
export interface OperationDefinition<
  K extends string,
  P extends readonly AnyPart[],
  R extends NamesResults = NamesResults,
> {
  /** Its name in the tree, and the word that begins its statement unless {@link parts} begin it. */
  readonly kind: K;
  /** One sentence about what it does. */
  readonly summary: string;
  /** Undefined: {@link kind} begins the statement. False: the first part does. */
  readonly word?: false;
  readonly parts: P;
  /** Whether its statement may end with `-> NAME rc NAME`. */
  readonly results: R;
  /** On which side it works, for people. */
  readonly side: 'cpu' | 'gpu' | 'agent';
  /** It starts agents of its own, which an exploration does not schedule. */
  readonly spawns?: true;
  /** It chooses which steps fail, which in an exploration the search does. */
  readonly injects?: true;
  /** Checks parts against each other. */
  check?(syntax: SyntaxOfParts<P> & { readonly span: Span }, check: Pick<PartCheck, 'fail'>): void;
  /** What is wrong with the numbers that it got, as a clause; undefined where nothing is. */
  refuse?(args: Args<P>): string | undefined;
  /** Does it, as a task of the running agent. */
  run(context: OperationContext, args: Args<P>): Task<Outcome>;
  /** What `-> NAME` gets: a value a page, or the errno. */
  readonly returns: 'values' | 'errno';
  /** How it is recorded and parsed back: each line that recordings have for it. */
  readonly recorded: readonly RecordedLine<Args<P>>[];
}

/** A definition of whatever operation. */
export type AnyOperation = OperationDefinition<string, readonly AnyPart[]>;

/** The statement of an operation. */
export type StatementOf<D> =
  D extends OperationDefinition<infer K, infer P, infer R>
    ? { readonly kind: K; readonly span: Span } & SyntaxOfParts<P> & ([R] extends [true] ? Results : object)
    : never;

/** A statement of whatever operation, for code that works from its definition. */
export interface AnyStatement {
  readonly kind: string;
  readonly span: Span;
  readonly into?: Name | undefined;
  readonly rc?: Name | undefined;
}

/** Defines an operation: the types of what it gets come from its parts. */
export function operation<
  const K extends string,
  const P extends readonly AnyPart[],
  const R extends NamesResults,
>(definition: OperationDefinition<K, P, R>): OperationDefinition<K, P, R> {
  return definition;
}

/** An operation with what it is to be done to. */
export interface BoundOperation {
  readonly definition: AnyOperation;
  readonly args: object;
}
