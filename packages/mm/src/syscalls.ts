import { EINVAL, ENOMEM, EOVERFLOW, type Task } from '@hmm/kernel';
import { sysMadvise } from './madvise.js';
import { sysMlock, sysMunlock } from './mlock.js';
import type { MmStruct } from './mm-struct.js';
import { MAP_FIXED, MAP_FIXED_NOREPLACE, type MapSource, sysMmap } from './mmap.js';
import { sysMprotect } from './mprotect.js';
import { MREMAP_FIXED, sysMremap } from './mremap.js';
import { sysMunmap } from './munmap.js';

/**
 * The system calls with the arguments that a program gives them: byte addresses and lengths of 64 bits, which may be
 * unaligned, zero, or wrap. They are rounded or refused as Linux does it; the work is done on page numbers.
 *
 * @packageDocumentation
 */

const PAGE = 4096n;
const WORD = 1n << 64n;

const offsetInPage = (byte: bigint): bigint => byte % PAGE;

/** Rounded up to pages, modulo 2^64 as in the kernel. @kernel include/linux/mm.h PAGE_ALIGN */
const pageAlign = (length: bigint): bigint => (((length + PAGE - 1n) / PAGE) * PAGE) % WORD;

const pages = (bytes: bigint): number => Number(bytes / PAGE);

/** The byte address, or the errno, that a call on pages returned. */
const addressOf = (page: number): bigint => (page < 0 ? BigInt(page) : BigInt(page) * PAGE);

/**
 * mmap(2). @returns the address, or a negative errno. `source.pgoff` is taken from `offset`.
 * @kernel mm/mmap.c ksys_mmap_pgoff (without: file descriptors, audit)
 */
// eslint-disable-next-line max-params -- the six arguments of mmap(2)
export function* syscallMmap(
  mm: MmStruct,
  addr: bigint,
  length: bigint,
  prot: number,
  flags: number,
  source: MapSource = {},
  offset = 0n,
): Task<bigint> {
  if (offsetInPage(offset) !== 0n || length === 0n) return BigInt(-EINVAL);
  const aligned = pageAlign(length);
  if (aligned === 0n) return BigInt(-ENOMEM);
  if (offset + aligned > WORD) return BigInt(-EOVERFLOW);
  const fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  const unaligned = fixed && offsetInPage(addr) !== 0n;
  // The range is tested before the alignment.
  if (unaligned && addr + aligned < WORD) return BigInt(-EINVAL);
  const mapped = { ...source, pgoff: pages(offset) };
  return addressOf(yield* sysMmap(mm, pages(addr), pages(aligned), prot, flags, mapped));
}

/** munmap(2). @kernel mm/mmap.c munmap (without: tagged addresses) */
export function* syscallMunmap(mm: MmStruct, addr: bigint, length: bigint): Task<number> {
  if (offsetInPage(addr) !== 0n) return -EINVAL;
  return yield* sysMunmap(mm, pages(addr), pages(pageAlign(length)));
}

/** mprotect(2). @kernel mm/mprotect.c mprotect (all) */
export function* syscallMprotect(mm: MmStruct, addr: bigint, length: bigint, prot: number): Task<number> {
  if (offsetInPage(addr) !== 0n) return -EINVAL;
  if (length === 0n) return 0;
  const aligned = pageAlign(length);
  if (aligned === 0n || addr + aligned > WORD) return -ENOMEM;
  return yield* sysMprotect(mm, pages(addr), pages(aligned), prot);
}

/** madvise(2). @kernel mm/madvise.c madvise (all) */
export function* syscallMadvise(mm: MmStruct, addr: bigint, length: bigint, advice: number): Task<number> {
  if (offsetInPage(addr) !== 0n) return -EINVAL;
  const aligned = pageAlign(length);
  if (length !== 0n && aligned === 0n) return -EINVAL;
  return yield* sysMadvise(mm, pages(addr), pages(aligned), advice);
}

/** mlock(2): whole pages around the range. @kernel mm/mlock.c mlock (all) */
export function* syscallMlock(mm: MmStruct, addr: bigint, length: bigint): Task<number> {
  const aligned = pageAlign((length + offsetInPage(addr)) % WORD);
  return yield* sysMlock(mm, pages(addr), pages(aligned));
}

/** munlock(2). @kernel mm/mlock.c munlock (without: tagged addresses) */
export function* syscallMunlock(mm: MmStruct, addr: bigint, length: bigint): Task<number> {
  const aligned = pageAlign((length + offsetInPage(addr)) % WORD);
  return yield* sysMunlock(mm, pages(addr), pages(aligned));
}

/**
 * mremap(2). @returns the new address, or a negative errno.
 * @kernel mm/mremap.c mremap (without: tagged addresses)
 */
export function* syscallMremap(
  mm: MmStruct,
  addr: bigint,
  oldLength: bigint,
  newLength: bigint,
  flags: number,
  newAddr = 0n,
): Task<bigint> {
  if (offsetInPage(addr) !== 0n) return BigInt(-EINVAL);
  if ((flags & MREMAP_FIXED) !== 0 && offsetInPage(newAddr) !== 0n) return BigInt(-EINVAL);
  const oldPages = pages(pageAlign(oldLength));
  const newPages = pages(pageAlign(newLength));
  return addressOf(yield* sysMremap(mm, pages(addr), oldPages, newPages, flags, pages(newAddr)));
}
