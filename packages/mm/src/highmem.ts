import type { MemorySystem } from './memory-system.js';
import { accessData } from './observe.js';

function accessBoth(system: MemorySystem, to: number, from: number): void {
  accessData(system, from, false);
  accessData(system, to, true);
}

/** Copies the contents of a whole frame. @kernel include/linux/highmem.h copy_highpage (all) */
export function copyHighpage(system: MemorySystem, to: number, from: number): void {
  accessBoth(system, to, from);
  system.data.copyPage(to, from);
}

/**
 * As {@link copyHighpage}, for a process's own copy.
 * @kernel include/linux/highmem.h copy_mc_user_highpage (without: machine checks while copying)
 */
export function copyUserHighpage(system: MemorySystem, to: number, from: number): void {
  accessBoth(system, to, from);
  system.data.copyPage(to, from);
}
