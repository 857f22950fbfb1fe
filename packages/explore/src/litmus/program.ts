import type { BoundOperation, Expr, Region } from '@hmm/operations';
import type { Span } from '@hmm/operations/internal';

/** One step of a litmus program's thread, with names resolved and sizes evaluated. */
export type Instruction =
  | {
      readonly kind: 'operation';
      readonly operation: BoundOperation;
      /** Result that gets the values. */
      readonly into: string | undefined;
      /** Result that gets the errno. */
      readonly rc: string | undefined;
    }
  | { readonly kind: 'in'; readonly process: string; readonly body: readonly Instruction[] }
  | {
      readonly kind: 'assert';
      readonly condition: Expr;
      /** Parameters and loop variables where it stands. */
      readonly values: ReadonlyMap<string, number>;
    };

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
  /** Where its file has them. */
  readonly settingPlaces: ReadonlyMap<string, Span>;
  readonly regions: ReadonlyMap<string, Region>;
  readonly init: readonly Instruction[];
  readonly threads: readonly LitmusThread[];
  readonly final: readonly Instruction[];
  readonly quantifier: 'exists' | 'forall' | 'never' | undefined;
  readonly condition: Expr | undefined;
  /** Its parameters. */
  readonly values: ReadonlyMap<string, number>;
}
