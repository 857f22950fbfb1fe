import { ENTRY_TABLE, LEVEL_PTE, NO_TABLE, TABLE_LANES } from '@hmm/kernel/internal';
import { AddressSpace } from './address-space.js';
import type { MemorySystem } from './memory-system.js';
import { filemapRemoveFolio } from './filemap.js';
import { PTE_PRESENT } from './pte.js';

/**
 * A new file of `pages` pages, all holes, with one user. @returns null when page tables are used up.
 * @kernel mm/shmem.c shmem_file_setup (without: names, seals, limits of the file system, commit accounting)
 */
export function shmemFileSetup(system: MemorySystem, pages: number): AddressSpace | null {
  const root = system.tables.alloc();
  if (root === NO_TABLE) return null;
  const id = system.mappingId(system.addressSpaces);
  const file = new AddressSpace(system, id, root, pages);
  system.addressSpaces[id - 1] = file;
  return file;
}

/** The file behind a shared anonymous mapping. @kernel mm/shmem.c shmem_zero_setup (without: khugepaged) */
export function shmemZeroSetup(system: MemorySystem, pages: number): AddressSpace | null {
  return shmemFileSetup(system, pages);
}

/**
 * Drops one user of a file; the last one frees its pages and slots.
 * @kernel mm/shmem.c shmem_evict_inode (without: the list of inodes with swap, quotas, extended attributes)
 */
export function addressSpacePut(system: MemorySystem, file: AddressSpace): void {
  file.users--;
  if (file.users > 0) return;
  dropPages(system, file, file.root, system.tables.levels, 0, 0);
  system.tables.freeTree(file.root);
  system.addressSpaces[file.id - 1] = null;
}

/** Frees the pages and swap slots of a file from page `from` on; nothing may map them. */
export function dropPages(
  system: MemorySystem,
  file: AddressSpace,
  table: number,
  level: number,
  base: number,
  from: number,
): void {
  const { lanes } = system.tables;
  const span = 2 ** (9 * (level - 1));
  for (let entry = table; entry < table + TABLE_LANES; entry += 2) {
    const at = base + ((entry - table) / 2) * span;
    const flags = lanes[entry] ?? 0;
    if (flags === 0 || at + span <= from) continue;
    const payload = lanes[entry + 1] ?? 0;
    if (flags === ENTRY_TABLE && level > LEVEL_PTE) dropPages(system, file, payload, level - 1, at, from);
    else if ((flags & PTE_PRESENT) !== 0) filemapRemoveFolio(system, file, payload);
    else {
      lanes[entry] = 0;
      lanes[entry + 1] = 0;
      system.swap.drop(payload);
    }
  }
}
