import { EFAULT, EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import {
  accessData,
  addressSpacePut,
  cpuAccess,
  FOLL_LONGTERM,
  FOLL_WRITE,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  pinUserPages,
  sysMadvise,
  sysMlock,
  sysMprotect,
  sysMremap,
  sysMunlock,
  unpinUserPage,
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MAP_SHARED,
  type MemorySystem,
  type MmStruct,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  shmemFileSetup,
  sysMmap,
  sysMunmap,
} from '@hmm/mm';
import type { Madvice, MemoryKind, Protection } from '@hmm/workload';
import type { Process } from './process.js';

const PROT: Readonly<Record<Protection, number>> = {
  none: 0,
  r: PROT_READ,
  w: PROT_WRITE,
  rw: PROT_READ | PROT_WRITE,
  rx: PROT_READ | PROT_EXEC,
  rwx: PROT_READ | PROT_WRITE | PROT_EXEC,
};

/** Maps `pages` new pages of a kind at `vpn`; 0 or a negative errno. */
export function* mapMemory(
  mm: MmStruct,
  vpn: number,
  pages: number,
  protection: Protection,
  kind: Exclude<MemoryKind, 'managed'>,
): Task<number> {
  const prot = PROT[protection];
  const mapped = yield* mapKind();
  return mapped < 0 ? mapped : 0;

  function* mapKind(): Task<number> {
    if (kind === 'malloc' || kind === 'stack') {
      return yield* sysMmap(mm, vpn, pages, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);
    }
    if (kind === 'shared') {
      return yield* sysMmap(mm, vpn, pages, prot, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);
    }
    const file = shmemFileSetup(mm.system, pages);
    if (file === null) return -ENOMEM;
    const share = kind === 'memfd_private' ? MAP_PRIVATE : MAP_SHARED;
    const start = yield* sysMmap(mm, vpn, pages, prot, share | MAP_FIXED_NOREPLACE, { file });
    // The descriptor is closed right away: the mapping keeps the file.
    addressSpacePut(mm.system, file);
    return start;
  }
}

/** Loads `width` bytes, little-endian; or a negated signal number. */
export function* cpuLoad(mm: MmStruct, vpn: number, offset: number, width: number): Task<number> {
  const pfn = yield* cpuAccess(mm, vpn, false);
  return pfn < 0 ? pfn : loadFrame(mm.system, pfn, offset, width);
}

/** Stores the low `width` bytes of `value`; 0, or a negated signal number. */
export function* cpuStore(
  mm: MmStruct,
  vpn: number,
  offset: number,
  width: number,
  value: number,
): Task<number> {
  const pfn = yield* cpuAccess(mm, vpn, true);
  if (pfn < 0) return pfn;
  storeFrame(mm.system, pfn, offset, width, value);
  return 0;
}

/** Adds to `width` bytes in one step; what was there before, or a negated signal number. */
export function* cpuAdd(
  mm: MmStruct,
  vpn: number,
  offset: number,
  width: number,
  value: number,
): Task<number> {
  const pfn = yield* cpuAccess(mm, vpn, true);
  if (pfn < 0) return pfn;
  const before = loadFrame(mm.system, pfn, offset, width);
  storeFrame(mm.system, pfn, offset, width, before + value);
  return before;
}

function loadFrame(memory: MemorySystem, pfn: number, offset: number, width: number): number {
  accessData(memory, pfn, false);
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + memory.data.readByte(pfn, offset + i);
  return value;
}

function storeFrame(memory: MemorySystem, pfn: number, offset: number, width: number, value: number): void {
  accessData(memory, pfn, true);
  for (let i = 0, rest = value; i < width; i++, rest = Math.floor(rest / 256)) {
    memory.data.writeByte(pfn, offset + i, rest & 255);
  }
}

const ADVICE: Readonly<Record<Madvice, number>> = {
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  pageout: MADV_PAGEOUT,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  collapse: MADV_COLLAPSE,
  cold: MADV_COLD,
};

/** A system call of a program on a range: its word decides what. 0, or a negative errno. */
export function* rangeCall(process: Process, request: RangeRequest): Task<number> {
  const { mm } = process;
  const { vpn, pages } = request;
  switch (request.call) {
    case 'munmap':
      return yield* sysMunmap(mm, vpn, pages);
    case 'mprotect':
      return yield* sysMprotect(mm, vpn, pages, PROT[request.word]);
    case 'madvise':
      return yield* sysMadvise(mm, vpn, pages, ADVICE[request.word]);
    case 'mlock':
      return yield* sysMlock(mm, vpn, pages);
    case 'munlock':
      return yield* sysMunlock(mm, vpn, pages);
    case 'pin':
      return yield* pin(process, vpn, pages, request.word === 'write');
    case 'unpin':
      return unpin(process, vpn, pages);
  }
}

/** What {@link rangeCall} does. */
export type RangeRequest = { readonly vpn: number; readonly pages: number } & (
  | { readonly call: 'munmap' | 'mlock' | 'munlock' | 'unpin' }
  | { readonly call: 'mprotect'; readonly word: Protection }
  | { readonly call: 'madvise'; readonly word: Madvice }
  | { readonly call: 'pin'; readonly word: 'write' | undefined }
);

/** Takes long-term pins, all or none. */
function* pin(process: Process, vpn: number, pages: number, write: boolean): Task<number> {
  const { mm } = process;
  const pfns: number[] = [];
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const got = yield* pinUserPages(mm, vpn, pages, FOLL_LONGTERM | (write ? FOLL_WRITE : 0), pfns);
  mm.mmapLock.unlockRead();
  if (got === pages) {
    for (const [at, pfn] of pfns.entries()) process.pins.push({ vpn: vpn + at, pfn });
    return 0;
  }
  for (const pfn of pfns) unpinUserPage(mm.system, pfn);
  return got < 0 ? got : -EFAULT;
}

/** Drops the pins that were taken on these pages. */
function unpin(process: Process, vpn: number, pages: number): number {
  const dropped = process.pins.filter((held) => held.vpn >= vpn && held.vpn < vpn + pages);
  for (const held of dropped) {
    process.pins.splice(process.pins.indexOf(held), 1);
    unpinUserPage(process.mm.system, held.pfn);
  }
  return dropped.length > 0 ? 0 : -EINVAL;
}

/** Moves pages to `to`, over what is there; 0 or a negative errno. */
export function* moveMapping(mm: MmStruct, vpn: number, pages: number, to: number): Task<number> {
  const moved = yield* sysMremap(mm, vpn, pages, pages, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  return moved < 0 ? moved : 0;
}
