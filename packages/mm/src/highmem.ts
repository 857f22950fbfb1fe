import type { MemorySystem } from './memory-system.js';
import { accessData } from './observe.js';

/** Copies the contents of a whole frame. @kernel include/linux/highmem.h copy_highpage */
export function copyHighpage(system: MemorySystem, to: number, from: number): void {
  accessData(system, from, false);
  accessData(system, to, true);
  system.data.copyPage(to, from);
}
