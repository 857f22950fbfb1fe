import type { MirrorCall } from '../mirror-operations.js';

/** Pages of a region. */
export interface RegionRange {
  readonly region: number;
  /** First page, from the start of the region. */
  readonly offset: number;
  readonly pages: number;
}

/** What an `mmap` maps. */
export type MappingKind = 'anon' | 'shared' | 'memfd' | 'memfdp';
/** `madvise` advice. */
export type Advice =
  | 'dontneed'
  | 'free'
  | 'pageout'
  | 'hugepage'
  | 'nohugepage'
  | 'populate_read'
  | 'populate_write'
  | 'collapse';

/** One operation of a recorded script. */
export type Operation =
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
  | { readonly name: 'fork' | 'wait' | 'unpin' }
  | { readonly name: 'dopen'; readonly device: number }
  | ({
      readonly name: 'device';
      readonly call: MirrorCall;
      readonly device: number;
      readonly value: number;
    } & RegionRange);

const ADVICES: readonly Advice[] = [
  'dontneed',
  'free',
  'pageout',
  'hugepage',
  'nohugepage',
  'populate_read',
  'populate_write',
  'collapse',
];

/** Each operation's words after its name: `n` a number, else the choices. */
const GRAMMAR: Readonly<Record<string, readonly (string | readonly string[])[]>> = {
  mmap: ['n', 'n', ['r', 'w', 'rw', 'none'], ['anon', 'shared', 'memfd', 'memfdp']],
  munmap: ['n', 'n', 'n'],
  mlock: ['n', 'n', 'n'],
  mprotect: ['n', 'n', 'n', ['r', 'w', 'rw', 'none']],
  madvise: ['n', 'n', 'n', ADVICES],
  mremap: ['n', 'n', 'n', 'n', 'n'],
  cw: ['n', 'n', 'n', 'n'],
  cr: ['n', 'n', 'n'],
  pm: ['n', 'n', 'n'],
  pin: ['n', 'n', 'n', 'n'],
  fork: [],
  wait: [],
  unpin: [],
  dopen: ['n'],
  dread: ['n', 'n', 'n', 'n'],
  dwrite: ['n', 'n', 'n', 'n', 'n'],
  todev: ['n', 'n', 'n', 'n'],
  tosys: ['n', 'n', 'n', 'n'],
  snap: ['n', 'n', 'n', 'n'],
  excl: ['n', 'n', 'n', 'n'],
  chkexcl: ['n', 'n', 'n', 'n'],
  drelease: ['n', 'n', 'n', 'n'],
  dflags: ['n', 'n', 'n', 'n'],
  dreadu: ['n', 'n', 'n', 'n'],
};

const CALLS: readonly MirrorCall[] = [
  'dread',
  'dwrite',
  'todev',
  'tosys',
  'snap',
  'excl',
  'chkexcl',
  'drelease',
  'dflags',
  'dreadu',
];
const KINDS: readonly MappingKind[] = ['anon', 'shared', 'memfd', 'memfdp'];

/**
 * Reads an operation as it stands in a recording, words separated by one space.
 * @returns the operation, or what is wrong with it, for people.
 */
export function parseOperation(text: string): Operation | string {
  const [name = '', ...words] = text.split(' ');
  const grammar = Object.hasOwn(GRAMMAR, name) ? GRAMMAR[name] : undefined;
  if (grammar === undefined) return `unknown operation "${name}"`;
  if (words.length !== grammar.length) return `"${name}" takes ${grammar.length} words, not ${words.length}`;
  for (const [i, want] of grammar.entries()) {
    const word = words[i] ?? '';
    if (typeof want !== 'string') {
      if (!want.includes(word)) return `"${word}" is none of ${want.join(', ')}`;
    } else if (!isCount(word)) return `"${word}" is not a number`;
  }
  return build(name, words);
}

/** Whether a word consists of decimal digits. */
function isCount(word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const code = word.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return word.length > 0;
}

function build(name: string, words: readonly string[]): Operation {
  const n = words.map(Number);
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = n;
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
    case 'fork':
    case 'wait':
    case 'unpin':
      return { name };
    case 'dopen':
      return { name, device: a };
    default:
      return {
        name: 'device',
        call: CALLS.find((call) => call === name) ?? 'snap',
        device: a,
        region: b,
        offset: c,
        pages: d,
        value: e,
      };
  }
}
