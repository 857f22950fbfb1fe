import type { Task } from '@hmm/kernel';
import { pagePgmap } from './memremap.js';
import { PG_locked } from './mem-map.js';
import { folioGet, folioPut } from './page-alloc.js';
import type { MemorySystem } from './memory-system.js';
import type { Vma } from './vma.js';

/**
 * The CPU touched a page that is in device-private memory: its driver brings it home, and the access is repeated.
 * @returns `VM_FAULT_*` of the driver. @kernel mm/memory.c do_swap_page (without: per-VMA locks)
 */
export function* doDevicePrivatePage(vma: Vma, vpn: number, page: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const vmf = { vma, vpn, page, flags, huge: false };
  if (system.kernel.does.faultLocksPage && !(yield* lockForFault(system, page))) return 0;
  folioGet(system, page);
  const ret = yield* pagePgmap(system, page).ops.migrateToRam(vmf);
  // The folio may have been split meanwhile: the lock and the reference went with the page.
  if (system.kernel.does.faultLocksPage) system.map.unlock(system.map.folio(page));
  folioPut(system, page);
  return ret;
}

/** Locks the folio of a page for its fault; false after a wait for the agent that has it locked. */
function* lockForFault(system: MemorySystem, page: number): Task<boolean> {
  const { map, kernel } = system;
  const folio = map.folio(page);
  if (map.tryLock(folio)) return true;
  yield kernel.sched.waitFor(map.channels + folio);
  return false;
}

/**
 * As {@link doDevicePrivatePage}, where a PMD maps a whole folio of device memory. A folio that is locked is being dealt
 * with: the access is repeated. @kernel mm/huge_memory.c do_huge_pmd_device_private (from 6.19 on)
 */
export function* doHugePmdDevicePrivate(vma: Vma, vpn: number, folio: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const { map } = system;
  const { faultLocksPage } = system.kernel.does;
  if (faultLocksPage ? !map.tryLock(folio) : map.test(folio, PG_locked)) return 0;
  map.get(folio);
  const ret = yield* pagePgmap(system, folio).ops.migrateToRam({ vma, vpn, page: folio, flags, huge: true });
  if (faultLocksPage) map.unlock(folio);
  folioPut(system, folio);
  return ret;
}
