import type { Task } from '@hmm/kernel';
import { pagePgmap } from './memremap.js';
import { folioPut } from './page-alloc.js';
import type { Vma } from './vma.js';

/**
 * The CPU touched a page that is in device-private memory: its driver brings it home, and the access is repeated.
 * @returns `VM_FAULT_*` of the driver. @kernel mm/memory.c do_swap_page
 */
export function* doDevicePrivatePage(vma: Vma, vpn: number, page: number, flags: number): Task<number> {
  const { system } = vma.mm;
  system.map.get(page);
  const ret = yield* pagePgmap(system, page).ops.migrateToRam({ vma, vpn, page, flags });
  folioPut(system, page);
  return ret;
}
