import type { Expr } from '@hmm/workload';
import type { Operation } from '../world/operation.js';

/** One step of a litmus program's thread, with names resolved and sizes evaluated. */
export type Instruction =
  | {
      readonly kind: 'operation';
      readonly operation: Operation;
      /** Result that gets the values. */
      readonly into: string | undefined;
      /** Result that gets the errno. */
      readonly rc: string | undefined;
    }
  | { readonly kind: 'process'; readonly process: string }
  | { readonly kind: 'fork' | 'exit'; readonly child: string }
  | { readonly kind: 'in'; readonly process: string; readonly body: readonly Instruction[] }
  | { readonly kind: 'assert'; readonly condition: Expr };

/** A region of a litmus program. */
export interface LitmusRegion {
  readonly region: number;
  readonly pages: number;
}

/** One column. */
export interface LitmusThread {
  readonly name: string;
  readonly process: string;
  readonly body: readonly Instruction[];
}

/** A litmus test, ready to be explored. */
export interface LitmusProgram {
  readonly name: string;
  /** What it is about. */
  readonly doc: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly regions: ReadonlyMap<string, LitmusRegion>;
  readonly init: readonly Instruction[];
  readonly threads: readonly LitmusThread[];
  readonly final: readonly Instruction[];
  readonly quantifier: 'exists' | 'forall' | 'never' | undefined;
  readonly condition: Expr | undefined;
}
