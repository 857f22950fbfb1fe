import type { RegionRange } from './region.js';
import type { OperationWords, WordGrammar } from './words.js';

const PROTS = ['r', 'w', 'rw', 'none'];
const KINDS = ['anon', 'shared', 'memfd', 'memfdp', 'hugetlb'] as const;
const ADVICES = [
  'dontneed',
  'free',
  'pageout',
  'hugepage',
  'nohugepage',
  'populate_read',
  'populate_write',
  'collapse',
] as const;

/** What an `mmap` maps. */
export type MappingKind = (typeof KINDS)[number];
/** `madvise` advice. */
export type Advice = (typeof ADVICES)[number];

/** An operation of a process on its own memory. */
export type MemoryOperation =
  | {
      readonly name: 'mmap';
      readonly region: number;
      readonly pages: number;
      readonly prot: string;
      readonly kind: MappingKind;
    }
  | ({ readonly name: 'munmap' | 'mlock' | 'cr' | 'pm' } & RegionRange)
  | ({ readonly name: 'mprotect'; readonly prot: string } & RegionRange)
  | ({ readonly name: 'madvise'; readonly advice: Advice } & RegionRange)
  | ({ readonly name: 'mremap'; readonly toRegion: number; readonly toOffset: number } & RegionRange)
  | ({ readonly name: 'cw'; readonly value: number } & RegionRange)
  | ({ readonly name: 'pin'; readonly write: boolean } & RegionRange)
  | { readonly name: 'unpin' };

/** The words of these operations. */
export const MEMORY_GRAMMAR = {
  mmap: ['n', 'n', PROTS, KINDS],
  munmap: ['n', 'n', 'n'],
  mlock: ['n', 'n', 'n'],
  mprotect: ['n', 'n', 'n', PROTS],
  madvise: ['n', 'n', 'n', ADVICES],
  mremap: ['n', 'n', 'n', 'n', 'n'],
  cw: ['n', 'n', 'n', 'n'],
  cr: ['n', 'n', 'n'],
  pm: ['n', 'n', 'n'],
  pin: ['n', 'n', 'n', 'n'],
  unpin: [],
} as const satisfies WordGrammar;

/** The operation that checked words name; undefined for a name that is none of these. */
export function memoryOperation({ name, words }: OperationWords): MemoryOperation | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = words.map(Number);
  const range: RegionRange = { region: a, offset: b, pages: c };
  switch (name) {
    case 'mmap':
      return {
        name,
        region: a,
        pages: b,
        prot: words[2] ?? '',
        kind: KINDS.find((kind) => kind === words[3]) ?? 'anon',
      };
    case 'munmap':
    case 'mlock':
    case 'cr':
    case 'pm':
      return { name, ...range };
    case 'mprotect':
      return { name, ...range, prot: words[3] ?? '' };
    case 'madvise':
      return { name, ...range, advice: ADVICES.find((advice) => advice === words[3]) ?? 'dontneed' };
    case 'mremap':
      return { name, ...range, toRegion: d, toOffset: e };
    case 'cw':
      return { name, ...range, value: d };
    case 'pin':
      return { name, ...range, write: d !== 0 };
    case 'unpin':
      return { name };
    default:
      return undefined;
  }
}
