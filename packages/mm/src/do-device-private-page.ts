import type { Task } from '@hmm/kernel';
import { FAULT_REPEAT_NS } from './fault.js';
import { pagePgmap } from './memremap.js';
import { folioPut } from './page-alloc.js';
import type { Vma } from './vma.js';

/**
 * The CPU touched a page that is in device-private memory: its driver brings it home, and the access is repeated.
 * @returns `VM_FAULT_*` of the driver. @kernel mm/memory.c do_swap_page
 */
export function* doDevicePrivatePage(vma: Vma, vpn: number, page: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const { mutant } = system.kernel;
  if (mutant !== 'B4') system.map.get(page);
  let ret = yield* pagePgmap(system, page).ops.migrateToRam({ vma, vpn, page, flags });
  while (mutant === 'B24' && ret === 0 && pteNames(vma, vpn, page)) {
    yield* system.kernel.sched.delay(FAULT_REPEAT_NS);
    ret = yield* pagePgmap(system, page).ops.migrateToRam({ vma, vpn, page, flags });
  }
  if (mutant !== 'B4') folioPut(system, page);
  return ret;
}

/** Whether the entry for `vpn` still names `page`. */
function pteNames(vma: Vma, vpn: number, page: number): boolean {
  const { tables } = vma.mm.system;
  const entry = tables.findPte(vma.mm.root, vpn);
  return entry >= 0 && tables.lanes[entry + 1] === page;
}
