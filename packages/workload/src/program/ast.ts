/**
 * The syntax tree of a program or a litmus test. Every node says where it stands; sizes and numbers are expressions
 * until {@link evaluate} has the parameters. Names are unresolved text.
 *
 * @packageDocumentation
 */

import type { Expr, OperationStatement } from '@hmm/operations';
import type { Name, Span } from '@hmm/operations/internal';

/** A statement that decides what runs, and when; the others are operations. */
export type ControlStatement =
  | { readonly kind: 'let'; readonly name: Name; readonly value: Expr; readonly span: Span }
  | { readonly kind: 'in'; readonly process: Name; readonly body: readonly Statement[]; readonly span: Span }
  | { readonly kind: 'block'; readonly body: readonly Statement[]; readonly span: Span }
  | {
      readonly kind: 'repeat';
      readonly count: Expr;
      readonly body: readonly Statement[];
      readonly span: Span;
    }
  | {
      readonly kind: 'for';
      readonly name: Name;
      readonly from: Expr;
      readonly to: Expr;
      readonly body: readonly Statement[];
      readonly span: Span;
    }
  | { readonly kind: 'together'; readonly threads: readonly ThreadDecl[]; readonly span: Span }
  | { readonly kind: 'assert'; readonly condition: Expr; readonly span: Span };

/** A statement. */
export type Statement = OperationStatement | ControlStatement;

/** One agent of a `together` or of a litmus table: a thread of a process, with what it does in order. */
export interface ThreadDecl {
  readonly name: Name;
  /** Its process; undefined for the one around it. */
  readonly process: Name | undefined;
  readonly body: readonly Statement[];
  readonly span: Span;
}

/** `set key = value`: what the file asks of the machine; the command line overrides it. */
export interface Setting {
  readonly key: Name;
  readonly value: string;
  readonly span: Span;
}

/** `device D0 test-device`: a further device, and which client drives it (undefined: the client of the run). */
export interface DeviceDecl {
  readonly name: Name;
  readonly client: string | undefined;
  readonly span: Span;
}

/** The last line of a litmus test. */
export interface FinalCondition {
  readonly quantifier: 'exists' | 'forall' | 'never';
  readonly condition: Expr;
  readonly span: Span;
}

/** A whole file. */
export interface ProgramFile {
  readonly kind: 'program' | 'litmus';
  readonly name: string;
  /** What it is about; '' without one. */
  readonly doc: string;
  readonly settings: readonly Setting[];
  readonly devices: readonly DeviceDecl[];
  /** The program, or the initial state of a litmus test. */
  readonly body: readonly Statement[];
  /** The columns of a litmus test; empty in a program. */
  readonly threads: readonly ThreadDecl[];
  /** Runs alone after the columns. */
  readonly final: readonly Statement[];
  readonly condition: FinalCondition | undefined;
}

/** Something wrong with a source text. */
export interface SourceError {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What is wrong, and what was expected. One line. */
  readonly message: string;
}

/** `file:line:column: message`. */
export function formatSourceError(error: SourceError): string {
  return `${error.file}:${error.line}:${error.column}: ${error.message}`;
}
