import { EEXIST, EINVAL, ENOMEM, HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import type { AddressSpace } from './address-space.js';
import type { MmStruct } from './mm-struct.js';
import { HugetlbVmOps } from './hugetlb.js';
import { mmPopulate } from './mlock.js';
import { doMunmap } from './munmap.js';
import { shmemZeroSetup } from './shmem.js';
import { badRange, taskSize } from './task-size.js';
import { vmaLinkFile } from './vma-adjust.js';
import { vmaMergeNewRange } from './vma-merge.js';
import { findVmaIntersection, vmaSetInsert } from './vma-set.js';
import {
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_LOCKED,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_EXEC,
  Vma,
  type VmOperations,
} from './vma.js';

/** `prot` bits. @kernel include/uapi/asm-generic/mman-common.h PROT_READ */
export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const PROT_SEM = 8;

/** `flags` bits of mmap. @kernel include/uapi/linux/mman.h MAP_SHARED */
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_LOCKED = 0x2000;
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
/** Of huge pages that were set aside; with `MAP_PRIVATE | MAP_ANONYMOUS` only. */
export const MAP_HUGETLB = 0x40000;
export const MAP_FIXED_NOREPLACE = 0x100000;

/** What a mapping is of, where it is not anonymous private memory. */
export interface MapSource {
  /** The file; a shared anonymous mapping makes its own. */
  readonly file?: AddressSpace;
  /** First page of the file. */
  readonly pgoff?: number;
  /** A driver's mapping: who handles its faults. */
  readonly ops?: VmOperations;
  /** `VM_*` that a driver's mapping has besides (`VM_IO`, `VM_PFNMAP` …). */
  readonly vmFlags?: number;
  /** A place that is chosen is a multiple of so many pages; 1 without it. */
  readonly align?: number;
}

/**
 * The VM_READ, VM_WRITE and VM_EXEC that `prot` asks for.
 * @kernel include/linux/mman.h calc_vm_prot_bits (without: protection keys and other bits of the
 * architecture)
 */
export function calcVmProtBits(prot: number): number {
  return prot & (VM_READ | VM_WRITE | VM_EXEC);
}

/**
 * Maps `pages` pages at page `addr` (a hint unless `MAP_FIXED` or `MAP_FIXED_NOREPLACE`).
 * @returns the first page's number, or `-EINVAL` (nothing to map, neither shared nor private), `-ENOMEM` (no room, or beyond
 * the address space), `-EEXIST` (`MAP_FIXED_NOREPLACE` over a mapping).
 * @kernel mm/util.c vm_mmap_pgoff (without: security hooks, userfaultfd, killable waits)
 */
export function* sysMmap(
  mm: MmStruct,
  addr: number,
  pages: number,
  prot: number,
  flags: number,
  source: MapSource = {},
): Task<number> {
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const ret = yield* doMmap(mm, addr, pages, prot, flags, source);
  mm.mmapLock.unlockWrite();
  if (ret >= 0 && (flags & (MAP_LOCKED | MAP_POPULATE)) !== 0) yield* mmPopulate(mm, ret, ret + pages, true);
  return ret;
}

/**
 * {@link sysMmap} for a caller that holds mmap_lock for writing.
 * @kernel mm/mmap.c do_mmap (without: limits, personality, protection keys, seals and modes of files, growing
 * mappings, droppable memory)
 */
export function* doMmap(
  mm: MmStruct,
  addr: number,
  pages: number,
  prot: number,
  flags: number,
  source: MapSource,
): Task<number> {
  if (!(pages > 0)) return -EINVAL;
  if ((flags & MAP_HUGETLB) !== 0) return yield* mmapHugetlb(mm, addr, pages, prot, flags);
  return yield* mmapAligned(mm, addr, pages, prot, flags, source);
}

/**
 * A mapping of huge pages is whole ones, aligned to them.
 * @kernel mm/mmap.c ksys_mmap_pgoff (without: shared and file mappings of huge pages, page sizes other than 2
 * MiB)
 */
function* mmapHugetlb(mm: MmStruct, addr: number, wanted: number, prot: number, flags: number): Task<number> {
  const kind = flags & (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS);
  if (kind !== (MAP_PRIVATE | MAP_ANONYMOUS)) return -EINVAL;
  const fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  if (fixed && addr % HPAGE_PMD_NR !== 0) return -EINVAL;
  const pages = HPAGE_PMD_NR * Math.ceil(wanted / HPAGE_PMD_NR);
  const ops = HugetlbVmOps.create(mm, pages, (flags & MAP_NORESERVE) !== 0);
  if (typeof ops === 'number') return ops;
  const source = { ops, vmFlags: VM_HUGETLB | VM_DONTEXPAND, align: HPAGE_PMD_NR };
  const hint = HPAGE_PMD_NR * Math.ceil(addr / HPAGE_PMD_NR);
  const start = yield* mmapAligned(mm, hint, pages, prot, flags, source);
  if (start < 0) ops.cancel(mm, pages);
  return start;
}

/** Maps a range that starts where `source` lets it. */
function* mmapAligned(
  mm: MmStruct,
  addr: number,
  pages: number,
  prot: number,
  flags: number,
  source: MapSource,
): Task<number> {
  const start = getUnmappedArea(mm, addr, pages, flags, source.align);
  if (start < 0) return start;
  const shared = flags & (MAP_SHARED | MAP_PRIVATE);
  if (shared !== MAP_SHARED && shared !== MAP_PRIVATE) return -EINVAL;
  if ((flags & MAP_FIXED) !== 0) {
    const error = yield* doMunmap(mm, start, pages);
    if (error !== 0) return error;
  }
  let vmFlags = calcVmProtBits(prot) | (source.vmFlags ?? 0);
  if (shared === MAP_SHARED) vmFlags |= VM_SHARED;
  if ((flags & MAP_LOCKED) !== 0) vmFlags |= VM_LOCKED;
  if (accountable(flags, vmFlags)) vmFlags |= VM_ACCOUNT;
  return yield* mmapRegion(mm, start, pages, vmFlags, source);
}

/** @kernel mm/mmap.c accountable_mapping (without: hugetlb files, overcommit modes) */
function accountable(flags: number, vmFlags: number): boolean {
  return (flags & MAP_NORESERVE) === 0 && (vmFlags & (VM_SHARED | VM_WRITE)) === VM_WRITE;
}

/**
 * Where a mapping goes; a place that is chosen is a multiple of `align` pages.
 * @kernel mm/mmap.c __get_unmapped_area (without: files and drivers that choose, alignment for transparent
 * huge pages, mmap_min_addr, security hooks)
 */
export function getUnmappedArea(mm: MmStruct, addr: number, pages: number, flags: number, align = 1): number {
  if (pages > taskSize(mm)) return -ENOMEM;
  const fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  if (fixed) {
    if (badRange(mm, addr, pages)) return -ENOMEM;
    const noReplace = (flags & MAP_FIXED_NOREPLACE) !== 0;
    if (noReplace && findVmaIntersection(mm, addr, addr + pages) !== undefined) return -EEXIST;
    return addr;
  }
  if (addr > 0 && !badRange(mm, addr, pages) && findVmaIntersection(mm, addr, addr + pages) === undefined)
    return addr;
  return topDownGap(mm, pages, align);
}

/**
 * The highest gap that is large enough.
 * @kernel mm/mmap.c arch_get_unmapped_area_topdown (without: stack guard gaps, the search upwards, addresses
 * above 47 bits, randomisation)
 */
function topDownGap(mm: MmStruct, pages: number, align: number): number {
  const LOWEST = 16;
  const below = (end: number): number => end - pages - ((end - pages) % align);
  let high = mm.mmapBase;
  for (let i = mm.vmas.length - 1; i >= 0; i--) {
    const vma = mm.vmas[i];
    if (vma === undefined || vma.start >= high) continue;
    if (vma.end <= below(high)) break;
    high = vma.start;
  }
  const start = below(high);
  return start >= LOWEST ? start : -ENOMEM;
}

/**
 * Makes the VMA, or lets a neighbour grow over the range.
 * @kernel mm/mmap.c mmap_region (without: commit limits, the limit of VMAs, a file's own mmap function,
 * soft-dirty, uprobes, khugepaged)
 */
function* mmapRegion(
  mm: MmStruct,
  start: number,
  pages: number,
  flags: number,
  source: MapSource,
): Task<number> {
  const end = start + pages;
  let file = source.file ?? null;
  const ops = source.ops ?? null;
  const anonymous = file === null && ops === null;
  const pgoff = anonymous && (flags & VM_SHARED) === 0 ? start : (source.pgoff ?? 0);
  const shmem = anonymous && (flags & VM_SHARED) !== 0;
  if ((flags & VM_LOCKED) !== 0) mm.lockedVm += pages;
  if (!shmem) {
    const vmg = { start, end, flags, pgoff, file, ops, anonVma: null, uffd: null };
    if ((yield* vmaMergeNewRange(mm, vmg)) !== undefined) return start;
  } else {
    file = shmemZeroSetup(mm.system, pages);
    if (file === null) return -ENOMEM;
  }
  const vma = new Vma(mm, start, end, flags, pgoff, file);
  vma.ops = ops;
  if (file !== null && !shmem) file.users++;
  yield* vmaLinkFile(vma);
  vmaSetInsert(vma);
  return start;
}
