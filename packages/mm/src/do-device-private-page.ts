import type { Task } from '@hmm/kernel';
import { pagePgmap } from './memremap.js';
import { PG_locked } from './mem-map.js';
import { folioGet, folioPut } from './page-alloc.js';
import type { Vma } from './vma.js';

/**
 * The CPU touched a page that is in device-private memory: its driver brings it home, and the access is repeated.
 * @returns `VM_FAULT_*` of the driver. @kernel mm/memory.c do_swap_page
 */
export function* doDevicePrivatePage(vma: Vma, vpn: number, page: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const vmf = { vma, vpn, page, flags, huge: false };
  folioGet(system, page);
  const ret = yield* pagePgmap(system, page).ops.migrateToRam(vmf);
  // The folio may have been split meanwhile: the reference went with the page.
  folioPut(system, page);
  return ret;
}

/**
 * As {@link doDevicePrivatePage}, where a PMD maps a whole folio of device memory. A folio that is locked is being dealt
 * with: the access is repeated. @kernel mm/huge_memory.c do_huge_pmd_device_private (from 6.19 on)
 */
export function* doHugePmdDevicePrivate(vma: Vma, vpn: number, folio: number, flags: number): Task<number> {
  const { system } = vma.mm;
  if (system.map.test(folio, PG_locked)) return 0;
  system.map.get(folio);
  const ret = yield* pagePgmap(system, folio).ops.migrateToRam({ vma, vpn, page: folio, flags, huge: true });
  folioPut(system, folio);
  return ret;
}
