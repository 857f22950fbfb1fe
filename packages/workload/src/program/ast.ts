/**
 * The syntax tree of a program or a litmus test. Every node says where it stands; sizes and numbers are expressions
 * until {@link evaluate} has the parameters. Names are unresolved text.
 *
 * @packageDocumentation
 */

/** A place in the source: 1-based line and column of the first character, and offsets [offset, end). */
export interface Span {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
  readonly end: number;
}

/** A name with its place. */
export interface Name {
  readonly text: string;
  readonly span: Span;
}

/** Units of a literal: bytes, pages of 4 KiB, time. No unit is a plain number. */
export type Unit = '' | 'B' | 'KiB' | 'MiB' | 'GiB' | 'TiB' | 'pages' | 'ns' | 'us' | 'ms' | 's';

/** Infix operators, loosest first in the groups of {@link PRECEDENCE}. */
export type BinaryOp = '\\/' | '/\\' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%';

/** How tight an operator binds. */
export const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  '\\/': 1,
  '/\\': 2,
  '==': 4,
  '!=': 4,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
};

/** What a condition may ask of pages and counters. */
export type Query = 'where' | 'mapped' | 'count';

/** An expression or a condition. */
export type Expr =
  | { readonly kind: 'number'; readonly value: number; readonly unit: Unit; readonly span: Span }
  /** `x`, `T0:x`, `x[2]`: a parameter, a loop variable, a result, an errno, a place, or (with an index) a byte of memory. */
  | {
      readonly kind: 'ref';
      readonly agent: Name | undefined;
      readonly name: Name;
      readonly index: Expr | undefined;
      readonly span: Span;
    }
  | {
      readonly kind: 'binary';
      readonly op: BinaryOp;
      readonly left: Expr;
      readonly right: Expr;
      readonly span: Span;
    }
  | { readonly kind: 'unary'; readonly op: '-' | '~'; readonly operand: Expr; readonly span: Span }
  /** `[5, 6, _]`; `_` (undefined) matches anything. */
  | { readonly kind: 'list'; readonly items: readonly (Expr | undefined)[]; readonly span: Span }
  /** `where(a[0])`, `mapped(a[0])`, `count(faults)`. */
  | {
      readonly kind: 'query';
      readonly query: Query;
      readonly name: Name;
      readonly index: Expr | undefined;
      readonly span: Span;
    };

/** `a`, `a[3]` or `a[2..6]` (half open), in pages from the start of the region. */
export interface Range {
  readonly region: Name;
  readonly from: Expr | undefined;
  /** Undefined with a `from`: that one page. */
  readonly to: Expr | undefined;
  readonly span: Span;
}

/** In which order an access goes over its range; `argument` where the order takes one. */
export interface Order {
  readonly kind: 'seq' | 'rev' | 'stride' | 'sparse' | 'page' | 'rand' | 'subset';
  readonly argument: Expr | undefined;
}

/** Names that get what a statement returned: the values, and the errno. */
export interface Results {
  readonly into: Name | undefined;
  readonly rc: Name | undefined;
}

/** What memory an allocation makes. */
export type MemoryKind = 'malloc' | 'shared' | 'file' | 'memfd' | 'memfd_private' | 'stack' | 'managed';

/** Protection of a mapping, as letters. */
export type Protection = 'none' | 'r' | 'w' | 'rw' | 'rx' | 'rwx';

/** A system call on a range, with the word that it takes. */
export type RangeCallHead = { readonly range: Range } & (
  | { readonly call: 'munmap' | 'mlock' | 'munlock' | 'unpin'; readonly word: undefined }
  | { readonly call: 'mprotect'; readonly word: Protection }
  | { readonly call: 'madvise'; readonly word: Madvice }
  | { readonly call: 'pin'; readonly word: 'write' | undefined }
);

/** Advice to the kernel. */
export type Madvice = 'dontneed' | 'free' | 'pageout' | 'hugepage' | 'nohugepage' | 'collapse' | 'cold';

/** Advice to the driver. */
export type DriverAdvice =
  'preferred' | 'accessed_by' | 'read_mostly' | 'unset_preferred' | 'unset_accessed_by' | 'unset_read_mostly';

/** Operations of the kernel's HMM test device. */
export type DeviceCall = 'dread' | 'dwrite' | 'todev' | 'tosys' | 'snap' | 'excl' | 'chkexcl' | 'drelease';

/** An access of pages by the CPU or by a kernel on a device. */
export interface AccessStatement extends Results {
  readonly kind: 'access';
  readonly agent: 'cpu' | 'gpu';
  readonly access: 'read' | 'write' | 'atomic';
  /** `serial`: one after the other; `parallel`: one thread a page; `stream`: a grid-stride pass. */
  readonly shape: 'serial' | 'parallel' | 'stream';
  readonly range: Range;
  readonly order: Order;
  /** What is stored or added; page `i` of the range gets `value + i * step`. */
  readonly value: Expr | undefined;
  readonly step: Expr | undefined;
  /** Byte in the page, and bytes of one access. */
  readonly byte: Expr | undefined;
  readonly width: Expr | undefined;
  readonly device: Name | undefined;
  readonly span: Span;
}

/** A statement. */
export type Statement =
  | AccessStatement
  | { readonly kind: 'let'; readonly name: Name; readonly value: Expr; readonly span: Span }
  | { readonly kind: 'process'; readonly name: Name; readonly span: Span }
  | {
      readonly kind: 'alloc';
      readonly memory: MemoryKind;
      readonly name: Name;
      readonly size: Expr;
      readonly protection: Protection;
      readonly span: Span;
    }
  | (Results & RangeCallHead & { readonly kind: 'syscall'; readonly span: Span })
  | (Results & { readonly kind: 'mremap'; readonly range: Range; readonly to: Range; readonly span: Span })
  | (Results & {
      readonly kind: 'prefetch';
      readonly range: Range;
      readonly place: 'cpu' | 'gpu';
      readonly device: Name | undefined;
      readonly span: Span;
    })
  | (Results & {
      readonly kind: 'advise';
      readonly range: Range;
      readonly advice: DriverAdvice;
      readonly place: 'cpu' | 'gpu';
      readonly device: Name | undefined;
      readonly span: Span;
    })
  | (Results & {
      /** What the pages hold is needed no more. */
      readonly kind: 'discard';
      readonly range: Range;
      /** They lose their mappings and their place as well. */
      readonly unmap: boolean;
      /** Where they are moved afterwards, without a copy; undefined: they stay. */
      readonly place: 'cpu' | 'gpu' | undefined;
      readonly device: Name | undefined;
      readonly span: Span;
    })
  | (Results & {
      readonly kind: 'device-call';
      readonly call: DeviceCall;
      readonly range: Range;
      readonly value: Expr | undefined;
      readonly device: Name | undefined;
      readonly span: Span;
    })
  | { readonly kind: 'open' | 'close'; readonly device: Name; readonly span: Span }
  | { readonly kind: 'pressure'; readonly size: Expr; readonly device: Name | undefined; readonly span: Span }
  | { readonly kind: 'fork' | 'wait'; readonly child: Name; readonly span: Span }
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
  | { readonly kind: 'sleep'; readonly time: Expr; readonly span: Span }
  | {
      readonly kind: 'duel';
      readonly range: Range;
      readonly rounds: Expr;
      readonly device: Name | undefined;
      readonly span: Span;
    }
  | { readonly kind: 'assert'; readonly condition: Expr; readonly span: Span };

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
