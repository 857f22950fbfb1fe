import type { ManagedMemory } from '@hmm/device';
import { EINVAL, ENODEV, ENOMEM, errnoName, PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_HUGETLB,
  MAP_PRIVATE,
  MAP_SHARED,
  type MmStruct,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  sysMmap,
} from '@hmm/mm';
import { addressSpacePut, shmemFileSetup } from '@hmm/mm/internal';
import { gpuNumbered, noGpu, type OperationContext } from '../context.js';
import { operation } from '../definition.js';
import { evaluateNumber } from '../language/evaluate.js';
import { formatSum } from '../language/format.js';
import type { Expr, Name } from '../language/tree.js';
import { type MemoryKind, type PageRange, regionPage } from '../memory-region.js';
import { DONE, failedBecause, impossible, type Outcome } from '../outcome.js';
import { isUnbound, part, type Part, type RecordedPart } from '../part.js';
import { onGpu } from '../parts/devices.js';
import { placeText, renamed } from '../parts/ranges.js';
import { type Protection, protection, protectionOrBoth } from '../parts/words.js';
import { line } from '../recorded/line.js';
import { SHOWS_ERRNO } from '../recorded/shown.js';

/** `PROT_*` of the letters. */
export const PROT: Readonly<Record<Protection, number>> = {
  none: 0,
  r: PROT_READ,
  w: PROT_WRITE,
  rw: PROT_READ | PROT_WRITE,
  rx: PROT_READ | PROT_EXEC,
  rwx: PROT_READ | PROT_WRITE | PROT_EXEC,
};

/** Memory that a driver allocates. */
type DriverMemory = 'managed' | 'vram';

/** Maps `pages` new pages of a kind at `vpn`; 0 or a negative errno. */
export function* mapMemory(
  mm: MmStruct,
  vpn: number,
  pages: number,
  letters: Protection,
  kind: Exclude<MemoryKind, DriverMemory>,
): Task<number> {
  const prot = PROT[letters];
  if (kind === 'malloc' || kind === 'stack' || kind === 'shared' || kind === 'hugetlb') {
    const share = (kind === 'shared' ? MAP_SHARED : MAP_PRIVATE) | (kind === 'hugetlb' ? MAP_HUGETLB : 0);
    const start = yield* sysMmap(mm, vpn, pages, prot, share | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);
    return Math.min(start, 0);
  }
  const file = shmemFileSetup(mm.system, pages);
  if (file === null) return -ENOMEM;
  const share = kind === 'memfd_private' ? MAP_PRIVATE : MAP_SHARED;
  const start = yield* sysMmap(mm, vpn, pages, prot, share | MAP_FIXED_NOREPLACE, { file });
  // The descriptor is closed right away: the mapping keeps the file.
  addressSpacePut(mm.system, file);
  return Math.min(start, 0);
}

/** The kinds of memory that a program can allocate. */
export const MEMORY_KINDS = [
  'malloc',
  'shared',
  'file',
  'memfd_private',
  'memfd',
  'stack',
  'hugetlb',
  'managed',
  'vram',
] as const satisfies readonly MemoryKind[];

export interface NewMemory {
  readonly memory: MemoryKind;
  readonly range: PageRange;
}

export interface NewMemorySyntax {
  readonly memory: MemoryKind;
  readonly name: Name;
  readonly size: Expr;
  /** The region at whose address the new one begins. */
  readonly reused: Name | undefined;
}

/** `malloc a 4MiB`, `malloc b 4KiB at a`. */
const newMemory: Part<NewMemorySyntax, NewMemory> = part<NewMemorySyntax, NewMemory>({
  words: ['at'],
  begins: MEMORY_KINDS,
  read: (reader) => ({
    memory: reader.oneOf(MEMORY_KINDS),
    name: reader.name(),
    size: reader.sum(),
    reused: reader.maybe(() => {
      reader.word('at');
      return reader.name(1);
    }),
  }),
  format: ({ memory, name, size, reused }) =>
    `${memory} ${name.text} ${formatSum(size)}${reused === undefined ? '' : ` at ${reused.text}`}`,
  check({ size, reused }, check) {
    check.expect(size, 'bytes');
    if (reused !== undefined) check.regionNamed(reused);
  },
  declare({ name }, names) {
    names.region(name);
  },
  bind({ memory, name, size, reused }, scope) {
    const bytes = evaluateNumber(size, scope);
    if (typeof bytes === 'object') return bytes;
    if (bytes === 0 && (memory === 'managed' || memory === 'vram')) {
      const call = memory === 'managed' ? 'cudaMallocManaged' : 'cudaMalloc';
      const what =
        memory === 'managed' ? 'fails with cudaErrorInvalidValue' : 'gives no memory, but a null pointer';
      return { span: size.span, message: `${call} of 0 bytes ${what}` };
    }
    if (!(bytes > 0)) return { span: size.span, message: `a region has at least one byte, not ${bytes}` };
    const range = scope.allocate(name, bytes, memory, reused);
    return isUnbound(range) ? range : { memory, range };
  },
});

/** The words of kinds of memory in recordings. */
const RECORDED_MEMORY = ['anon', 'shared', 'memfd', 'memfdp', 'hugetlb'] as const;
const FROM_RECORDED: Readonly<Record<(typeof RECORDED_MEMORY)[number], MemoryKind>> = {
  anon: 'malloc',
  shared: 'shared',
  memfd: 'memfd',
  memfdp: 'memfd_private',
  hugetlb: 'hugetlb',
};

/** `REGION PAGES`: all of a region. */
const recordedRegion: RecordedPart<{ readonly range: PageRange }> = {
  readRecorded: (words) => ({
    range: { vpn: regionPage(words.number(), 0), pages: words.number(), region: undefined },
  }),
  writeRecorded: ({ range }) => `${placeText(range.vpn).split(' ')[0] ?? ''} ${range.pages}`,
};

const recordedKind: RecordedPart<{ readonly memory: MemoryKind }> = {
  readRecorded: (words) => ({ memory: FROM_RECORDED[words.oneOf(RECORDED_MEMORY)] }),
  writeRecorded: ({ memory }) => RECORDED_MEMORY.find((word) => FROM_RECORDED[word] === memory) ?? memory,
};

/** `malloc a 4MiB`, `memfd f 16pages r`, `managed m 2MiB`, `vram v 1MiB on gpu1`: allocates memory and names it. */
export const allocation = operation({
  kind: 'alloc',
  summary: 'Allocates memory and names it.',
  word: false,
  parts: [newMemory, protectionOrBoth, onGpu],
  results: true,
  side: 'cpu',
  check(s, { fail }) {
    if (s.gpu !== undefined && s.memory !== 'vram')
      fail(
        s.span,
        `only vram is of one GPU: a ${s.memory} region is on none when it is made (prefetch moves it)`,
      );
  },
  *run(context, { memory, range, protection: letters, gpu }) {
    if (memory === 'vram') return yield* allocateVram(context, range, gpu ?? 0);
    if (memory === 'managed') return yield* allocateManaged(context, range);
    const rc = yield* mapMemory(context.process.mm, range.vpn, range.pages, letters, memory);
    return rc < 0 ? allocationFailed(rc, memory, range) : DONE;
  },
  returns: 'errno',
  recorded: [line('mmap', [recordedRegion, protection, recordedKind], { gpu: undefined }, SHOWS_ERRNO)],
});

function* allocateManaged(context: OperationContext, range: PageRange): Task<Outcome> {
  const managed = yield* driverMemory(context, range);
  if ('reason' in managed) return impossible(managed.errno, managed.reason);
  const rc = yield* managed.memory.alloc(range.vpn, bytesOf(range));
  return rc < 0 ? allocationFailed(rc, 'managed', range) : DONE;
}

function* allocateVram(context: OperationContext, range: PageRange, gpu: number): Task<Outcome> {
  const name = range.region?.managedBy ?? context.defaultDevice;
  const at = gpuNumbered(context, name, gpu);
  if (at === undefined) return impossible(-ENODEV, noGpu(gpu));
  if (at.device !== name)
    return impossible(-ENODEV, `gpu${gpu} is of another device than ${context.client(name).gpu}`);
  const managed = yield* driverMemory(context, range);
  if ('reason' in managed) return impossible(managed.errno, managed.reason);
  if (managed.memory.allocDevice === undefined)
    return impossible(-ENOMEM, `${context.client(name).name} gives programs no device memory of their own`);
  const rc = yield* managed.memory.allocDevice(range.vpn, bytesOf(range), at.gpu);
  return rc < 0 ? allocationFailed(rc, 'vram', range) : DONE;
}

function bytesOf({ pages, region }: PageRange): number {
  return region?.bytes ?? pages * PAGE_SIZE;
}

/** The memory that the driver of a region allocates, or why there is none. */
function* driverMemory(
  context: OperationContext,
  { region }: PageRange,
): Task<{ readonly memory: ManagedMemory } | { readonly errno: number; readonly reason: string }> {
  const name = region?.managedBy ?? context.defaultDevice;
  const device = yield* context.device(name);
  if (!device.ok) return device;
  const { managed: memory } = device.process;
  if (memory !== undefined) return { memory };
  return { errno: -ENOMEM, reason: `${context.client(name).name} has no managed memory: use malloc` };
}

function allocationFailed(rc: number, memory: MemoryKind, { pages }: PageRange): Outcome {
  return failedBecause(rc, `${memory} of ${pages} pages failed: ${errnoName(rc)}`);
}

/**
 * `reuse a as b`: the heap takes `a` back and hands the same addresses out again. `free` and `malloc` of small sizes do that without a
 * system call: no mapping changes, and the pages keep their place and what they hold.
 */
export const reuse = operation({
  kind: 'reuse',
  summary: 'Frees memory to the heap, which hands the same pages out again under another name.',
  parts: [renamed],
  results: false,
  side: 'cpu',
  *run(context, { range }) {
    if (range.region?.managedBy === undefined) return DONE;
    return impossible(-EINVAL, 'a heap of malloc has no memory of a driver: free it with munmap');
  },
  returns: 'errno',
  recorded: [],
});

/** The operations of this file. */
export const ALLOCATION_OPERATIONS = [allocation, reuse] as const;
