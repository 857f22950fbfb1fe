import type { DeviceCall } from './mirror-devices.js';

/** A range of pages of a region. */
export interface PageRange {
  readonly region: number;
  /** First page, from the start of the region. */
  readonly offset: number;
  readonly pages: number;
}

/** Protections by the letters of the recordings. */
export type ProtectionWord = 'none' | 'r' | 'w' | 'rw' | 'rx' | 'rwx';
/** What a mapping is of. */
export type MappingKind = 'anon' | 'shared' | 'memfd' | 'memfdp';
/** Advice to the kernel. */
export type AdviceWord = 'dontneed' | 'free' | 'pageout' | 'hugepage' | 'nohugepage' | 'cold' | 'collapse';

/** One operation of a thread. */
export type Operation =
  | {
      readonly name: 'mmap';
      readonly range: PageRange;
      readonly prot: ProtectionWord;
      readonly kind: MappingKind;
    }
  | { readonly name: 'munmap' | 'mlock' | 'munlock'; readonly range: PageRange }
  | { readonly name: 'mprotect'; readonly range: PageRange; readonly prot: ProtectionWord }
  | { readonly name: 'madvise'; readonly range: PageRange; readonly advice: AdviceWord }
  | { readonly name: 'mremap'; readonly range: PageRange; readonly to: PageRange }
  | { readonly name: 'cr' | 'forkcr'; readonly range: PageRange }
  | {
      readonly name: 'cw' | 'forkcw';
      readonly range: PageRange;
      readonly value: number;
      readonly step: number;
    }
  | { readonly name: 'pin'; readonly range: PageRange; readonly write: boolean; readonly keep: boolean }
  | { readonly name: 'unpin' }
  | { readonly name: 'dopen' | 'dclose'; readonly device: number }
  | {
      readonly name: 'device';
      readonly call: DeviceCall;
      readonly device: number;
      readonly range: PageRange;
      readonly value: number;
    };

/** What an operation returned. */
export interface OperationResult {
  /** 0 or a negative errno. */
  readonly rc: number;
  /** Pages migrated. */
  readonly cpages: number;
  /** A value a page; for CPU reads -1 where a signal was raised, for CPU writes 0 or -1. */
  readonly values: readonly number[];
}

/** Each page that any of the operations names, as a range of one page, in ascending order. */
export function pagesOf(operations: readonly Operation[]): PageRange[] {
  const pages = new Map<number, PageRange>();
  for (const operation of operations) {
    for (const range of rangesOf(operation)) {
      for (let i = 0; i < range.pages; i++) {
        const offset = range.offset + i;
        pages.set(range.region * 2 ** 30 + offset, { region: range.region, offset, pages: 1 });
      }
    }
  }
  return [...pages].sort(([a], [b]) => a - b).map(([, range]) => range);
}

function rangesOf(operation: Operation): readonly PageRange[] {
  if ('to' in operation) return [operation.range, operation.to];
  return 'range' in operation ? [operation.range] : [];
}
