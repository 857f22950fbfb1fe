import type { Task } from '@hmm/kernel';
import type { AddressSpace } from './address-space.js';
import { copyUserHighpage } from './highmem.js';
import { anonVmaPrepare } from './anon-vma.js';
import { FAULT_FLAG_WRITE, VM_FAULT_OOM, VM_FAULT_SIGBUS } from './fault.js';
import { filemapGetFolio } from './filemap.js';
import { NO_PFN, PG_dirty, PG_locked, PG_uptodate } from './mem-map.js';
import { accessPte } from './observe.js';
import { allocPage, folioPut } from './page-alloc.js';
import { mkPte, mkPteForWrite } from './pte-make.js';
import { folioAddFileRmapPte, folioAddNewAnonRmap } from './rmap.js';
import { shmemGetFolio } from './shmem-fault.js';
import { folioAddLruVma } from './swap.js';
import { VM_SHARED, type Vma } from './vma.js';

/** Pages of the block that a read fault maps as far as they are cached. @kernel mm/memory.c fault_around_pages */
const FAULT_AROUND_PAGES = 16;

/**
 * First access to a page of a file: shared pages are mapped, a write to a private mapping gets a copy.
 * @returns 0 or `VM_FAULT_*`: SIGBUS beyond the end of the file.
 * @kernel mm/memory.c do_fault (without: per-VMA locks, mappings without a fault function, page tables
 * allocated before)
 */
export function* doFault(vma: Vma, vpn: number, entry: number, flags: number): Task<number> {
  const { file } = vma;
  if (file === null) return VM_FAULT_SIGBUS;
  if ((flags & FAULT_FLAG_WRITE) === 0) return yield* doReadFault(vma, file, vpn, entry);
  if ((vma.flags & VM_SHARED) === 0) return yield* doCowFault(vma, file, vpn, entry);
  return yield* doSharedFault(vma, file, vpn, entry);
}

/**
 * The file's page for `vpn`, locked and referenced, or a `VM_FAULT_*` negated.
 * @kernel mm/shmem.c shmem_fault (without: waits for a hole that is being punched, userfaultfd, huge pages)
 */
function* filePage(vma: Vma, file: AddressSpace, vpn: number): Task<number> {
  const index = vma.pgoff + (vpn - vma.start);
  if (index >= file.size) return -VM_FAULT_SIGBUS;
  const pfn = yield* shmemGetFolio(vma.mm.system, file, index);
  return pfn === NO_PFN ? -VM_FAULT_OOM : pfn;
}

/** @kernel mm/memory.c do_read_fault (without: per-VMA locks, userfaultfd) */
function* doReadFault(vma: Vma, file: AddressSpace, vpn: number, entry: number): Task<number> {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  doFaultAround(vma, file, vpn, entry);
  if (lanes[entry] !== 0) return 0;
  const pfn = yield* filePage(vma, file, vpn);
  if (pfn < 0) return -pfn;
  return finishFilePage(vma, vpn, entry, pfn, mkPte(vma));
}

/** @kernel mm/memory.c do_shared_fault (without: page_mkwrite, throttling of writers, file times) */
function* doSharedFault(vma: Vma, file: AddressSpace, vpn: number, entry: number): Task<number> {
  const { map } = vma.mm.system;
  const pfn = yield* filePage(vma, file, vpn);
  if (pfn < 0) return -pfn;
  map.set(pfn, PG_dirty);
  return finishFilePage(vma, vpn, entry, pfn, mkPteForWrite(vma));
}

/**
 * Maps a file's page if nobody was faster, and unlocks it.
 * @kernel mm/memory.c finish_fault (without: large folios, PMD mappings of file pages, userfaultfd's write
 * protection)
 */
function finishFilePage(vma: Vma, vpn: number, entry: number, pfn: number, pte: number): number {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  const free = system.tables.findPte(mm.root, vpn) === entry && lanes[entry] === 0;
  if (free) {
    accessPte(system, entry, true);
    mm.rssShmem++;
    folioAddFileRmapPte(pfn, vma);
    lanes[entry] = pte;
    lanes[entry + 1] = pfn;
  }
  system.map.unlock(pfn);
  if (!free) folioPut(system, pfn);
  return 0;
}

/**
 * A private mapping's write gets a copy of the file's page.
 * @kernel mm/memory.c do_cow_fault (without: memory control groups, DAX, hardware-poisoned pages)
 */
function* doCowFault(vma: Vma, file: AddressSpace, vpn: number, entry: number): Task<number> {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  yield* anonVmaPrepare(vma);
  const copy = allocPage(system);
  if (copy === NO_PFN) return VM_FAULT_OOM;
  const pfn = yield* filePage(vma, file, vpn);
  if (pfn < 0) {
    folioPut(system, copy);
    return -pfn;
  }
  copyUserHighpage(system, copy, pfn);
  map.set(copy, PG_uptodate);
  if (tables.findPte(mm.root, vpn) === entry && tables.lanes[entry] === 0) {
    accessPte(system, entry, true);
    mm.rssAnon++;
    folioAddNewAnonRmap(copy, vma, vpn, true);
    folioAddLruVma(vma, copy);
    tables.lanes[entry] = mkPteForWrite(vma);
    tables.lanes[entry + 1] = copy;
  } else folioPut(system, copy);
  map.unlock(pfn);
  folioPut(system, pfn);
  return 0;
}

/**
 * Maps what the cache has of the block around `vpn`: the aligned 16 entries of its page table, cut at the VMA.
 * @kernel mm/memory.c do_fault_around (without: a window of another size, large folios)
 */
function doFaultAround(vma: Vma, file: AddressSpace, vpn: number, entry: number): void {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  const at = vpn & 511;
  const offset = vpn - vma.start;
  const from = Math.max(at - (at % FAULT_AROUND_PAGES), at - Math.min(at, offset));
  const to = Math.min(from + FAULT_AROUND_PAGES, 512, at + (vma.end - vpn));
  for (let i = from; i < to; i++) {
    const index = vma.pgoff + offset + (i - at);
    const here = entry + 2 * (i - at);
    if (index >= file.size || tables.lanes[here] !== 0) continue;
    const pfn = filemapGetFolio(system, file, index);
    if (pfn === 0 || map.test(pfn, PG_locked)) continue;
    accessPte(system, here, true);
    map.get(pfn);
    mm.rssShmem++;
    folioAddFileRmapPte(pfn, vma);
    tables.lanes[here] = mkPte(vma);
    tables.lanes[here + 1] = pfn;
  }
}
