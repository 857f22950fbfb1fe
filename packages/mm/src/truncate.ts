import type { Task } from '@hmm/kernel';
import type { AddressSpace } from './address-space.js';
import { cacheEntry, filemapRemoveFolio } from './filemap.js';
import { folioLock } from './folio-lock.js';
import { PG_anon } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { folioGet, folioPut } from './page-alloc.js';
import { PTE_PRESENT } from './pte.js';
import { zapPageRangeSingle } from './zap.js';

/**
 * Frees the pages [from, to) of a file: their mappings go (announced as CLEAR for each VMA), then the pages and slots. They
 * read as zero afterwards.
 * @kernel mm/shmem.c shmem_truncate_range (without: parts of pages, huge pages, quotas, pages that appear
 * meanwhile)
 */
export function* truncateRange(system: MemorySystem, file: AddressSpace, from: number, to: number): Task {
  yield* unmapMappingRange(file, from, to, false);
  const { tables } = system;
  for (let index = from; index < to; index++) {
    const entry = cacheEntry(system, file, index);
    if (entry < 0) continue;
    const flags = tables.lanes[entry] ?? 0;
    const payload = tables.lanes[entry + 1] ?? 0;
    if ((flags & PTE_PRESENT) !== 0) yield* truncateFolio(system, file, payload);
    else if (flags !== 0) {
      tables.lanes[entry] = 0;
      tables.lanes[entry + 1] = 0;
      system.swap.drop(payload);
    }
  }
}

/**
 * @kernel mm/truncate.c truncate_inode_folio (without: mappings made meanwhile, a file system's private data)
 */
function* truncateFolio(system: MemorySystem, file: AddressSpace, pfn: number): Task {
  folioGet(system, pfn);
  if (system.kernel.sched.exploring || !system.map.tryLock(pfn)) yield* folioLock(system, pfn);
  if (system.map.mapping[pfn] === file.id && !system.map.test(pfn, PG_anon))
    filemapRemoveFolio(system, file, pfn);
  system.map.unlock(pfn);
  folioPut(system, pfn);
}

/**
 * Unmaps the pages [from, to) of a file wherever they are mapped. `evenCows`: private copies as well.
 * @kernel mm/memory.c unmap_mapping_pages (all)
 */
export function* unmapMappingRange(file: AddressSpace, from: number, to: number, evenCows: boolean): Task {
  if (!file.rwsem.tryReadFast()) yield* file.rwsem.read();
  for (const vma of file.tree) {
    const start = Math.max(vma.start, vma.start + (from - vma.pgoff));
    const end = Math.min(vma.end, vma.start + (to - vma.pgoff));
    if (start < end) yield* zapPageRangeSingle(vma, start, end, evenCows);
  }
  file.rwsem.unlockRead();
}

/**
 * Sets a file's size, pages. Shrinking unmaps what lies beyond, private copies as well; accesses there are SIGBUS then.
 * @kernel mm/shmem.c shmem_setattr (without: attributes other than the size, sizes in bytes, seals, quotas)
 */
export function* fileTruncate(system: MemorySystem, file: AddressSpace, pages: number): Task {
  const old = file.size;
  file.size = pages;
  if (pages >= old) return;
  yield* unmapMappingRange(file, pages, old, true);
  yield* truncateRange(system, file, pages, old);
}
