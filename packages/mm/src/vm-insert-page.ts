import { EBUSY, EINVAL, ENOMEM } from '@hmm/kernel';
import { LEVEL_PTE } from '@hmm/kernel/internal';
import { PG_anon } from './mem-map.js';
import { accessPte } from './observe.js';
import { mkPte } from './pte-make.js';
import { folioAddFileRmapPte } from './rmap.js';
import { VM_MIXEDMAP, type Vma } from './vma.js';

/**
 * Maps a driver's own page at `vpn`, with the VMA's protection. The mapping takes a reference of its own. The caller holds
 * mmap_lock for writing.
 * @returns 0, `-EINVAL` (no VM_MIXEDMAP, an anonymous page), `-EBUSY` (something is mapped there) or `-ENOMEM`.
 * @kernel mm/memory.c vm_insert_page (without: setting of VM_MIXEDMAP, pages outside the VMA)
 */
export function vmInsertPage(vma: Vma, vpn: number, pfn: number): number {
  const { mm } = vma;
  const { tables, map } = mm.system;
  if ((vma.flags & VM_MIXEDMAP) === 0 || map.test(map.folio(pfn), PG_anon)) return -EINVAL;
  const entry = tables.make(mm.root, vpn, LEVEL_PTE);
  if (entry < 0) return -ENOMEM;
  accessPte(mm.system, entry, true);
  if (tables.lanes[entry] !== 0) return -EBUSY;
  map.get(pfn);
  mm.rssShmem++;
  folioAddFileRmapPte(pfn, vma);
  tables.lanes[entry] = mkPte(vma);
  tables.lanes[entry + 1] = pfn;
  return 0;
}
