import { Kernel } from '@hmm/kernel';
import { MAP_ANONYMOUS, MAP_PRIVATE, MemorySystem, PROT_READ, PROT_WRITE, mmCreate, sysMmap } from '@hmm/mm';
import { Tlb, cpuTouch } from '@hmm/mm/internal';
/** Accesses per call: large enough to compile well, small enough not to be one endless loop. */
export const BATCH = 16_384;
/** A machine with memory for `pages` pages and what they need besides. */
export function workbench(pages) {
  const kernel = new Kernel();
  const systemFrames = pages + 4096;
  const maxTables = Math.ceil(pages / 256) + 64;
  const system = new MemorySystem(kernel, { frames: systemFrames, systemFrames, maxTables });
  const mm = mmCreate(system);
  return { system, mm, tlb: new Tlb(mm), run: (task) => kernel.sched.runSync(task) };
}
/** Maps `pages` pages of private anonymous memory; the first page's number. */
export function mapAnonymous({ mm, run }, pages) {
  return run(sysMmap(mm, 0, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS));
}
/** The page numbers from `start` on. */
export function consecutive(start, pages) {
  return Float64Array.from({ length: pages }, (_, i) => start + i);
}
/** Writes each of `vpns` once, faulting them in one page at a time. */
export function populate({ tlb, run }, vpns) {
  for (let at = 0; at < vpns.length; at += BATCH) {
    run(cpuTouch(tlb, vpns, at, Math.min(at + BATCH, vpns.length), true));
  }
}
/** Millions of `count` a second, `ms` milliseconds having passed. */
export function mega(count, ms) {
  return count / ms / 1000;
}
