import type { Task } from '@hmm/kernel';
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_EXCLUSIVE, mmHasNotifiers } from '@hmm/mmu-notifier';
import { folioLock } from './folio-lock.js';
import { PG_dirty, PG_free } from './mem-map.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { folioPut } from './page-alloc.js';
import { PTE_DIRTY, PTE_TYPE_DEVICE_EXCLUSIVE, PTE_TYPE_MASK, PTE_WRITE, PTE_YOUNG } from './pte.js';
import { canChangePteWritable, maybeMkwrite, mkPte } from './pte-make.js';
import { folioAddAnonRmapPte } from './rmap.js';
import type { Vma } from './vma.js';

/**
 * An access to a page that a device has for itself: the device is told (an event without owner), then the entry is an
 * ordinary one again. @returns 0, the access is repeated.
 * @kernel mm/memory.c remove_device_exclusive_entry (without: killable waits, retries with mmap_lock
 * dropped)
 */
export function* removeDeviceExclusiveEntry(vma: Vma, vpn: number, entry: number): Task<number> {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  const pfn = tables.lanes[entry + 1] ?? 0;
  const folio = map.folio(pfn);
  if (map.test(folio, PG_free) || map.refcount[folio] === 0) return 0;
  map.get(folio);
  if (system.kernel.sched.exploring || !map.tryLock(folio)) yield* folioLock(system, folio);
  const event = system.kernel.does.exclusiveRestoreClears ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_EXCLUSIVE;
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, event, vpn, vpn + 1) : undefined;
  const { lanes } = tables;
  const same = tables.findPte(mm.root, vpn) === entry && lanes[entry + 1] === pfn;
  if (same && ((lanes[entry] ?? 0) & PTE_TYPE_MASK) === PTE_TYPE_DEVICE_EXCLUSIVE)
    restoreExclusivePte(vma, entry);
  map.unlock(folio);
  notifyEnd(range);
  folioPut(system, pfn);
  return 0;
}

/**
 * Turns an exclusive entry into a present one that maps the page again; the entry's reference becomes the mapping's. The
 * caller holds the folio's lock.
 * @kernel mm/memory.c restore_exclusive_pte (without: soft-dirty, userfaultfd's write protection)
 */
export function restoreExclusivePte(vma: Vma, entry: number): void {
  const { system } = vma.mm;
  const { map } = system;
  const { does } = system.kernel;
  const { lanes } = system.tables;
  accessPte(system, entry, true);
  const pfn = lanes[entry + 1] ?? 0;
  let pte = mkPte(vma) & ~PTE_YOUNG;
  if (does.exclusiveRestoredByVma) {
    if (canChangePteWritable(vma, pte, pfn))
      pte |= map.test(map.folio(pfn), PG_dirty) ? PTE_WRITE | PTE_DIRTY : PTE_WRITE;
  } else if (((lanes[entry] ?? 0) & PTE_WRITE) !== 0) pte = maybeMkwrite(pte | PTE_DIRTY, vma);
  if (!does.exclusiveKeepsMapping) folioAddAnonRmapPte(pfn, vma, false);
  lanes[entry] = pte;
}
