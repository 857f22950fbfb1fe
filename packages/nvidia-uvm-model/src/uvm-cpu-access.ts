import { EIO, type Task } from '@hmm/kernel';
import { maskSet, maskTest, maskZero } from './uvm-page-mask.js';
import { UVM_ID_CPU } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { frameOn } from './uvm-va-block-frames.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import { uvmVmFault } from './uvm-vm.js';

/** What a CPU thread does to managed memory. */
export interface UvmCpuAccesses {
  readonly base: number;
  readonly pages: Int32Array;
  readonly write: boolean;
  readonly offset: number;
  readonly width: number;
  /** Stored by writes, overwritten by reads; added where `atomic`. undefined when the contents do not matter. */
  readonly values: Uint32Array | undefined;
  readonly atomic: boolean;
  /** Kind of each access where they differ: 2 (write) and 3 (atomic) need the right to write. */
  readonly kinds?: Uint8Array | undefined;
  /** Accesses at most between two scheduling points; undefined for no limit. */
  readonly slice?: number;
  /** ns of an access that hits; undefined for the cost table's. */
  readonly touchNs?: number;
}

/** How a CPU loop ended. */
export interface UvmCpuResult {
  errno: number;
  done: number;
}

/**
 * A loop of CPU accesses over managed memory, one page after the other. An access that the block's CPU mapping allows
 * costs no service; others fault.
 */
export function* uvmCpuAccess(space: UvmVaSpace, accesses: UvmCpuAccesses): Task<UvmCpuResult> {
  const { sched } = space.kernel;
  const { work } = space.driver;
  const { pages } = accesses;
  let faults = 0;
  work.cpuLoopBegins(space.id);
  for (let i = 0; i < pages.length;) {
    const begun = i;
    i = cpuRun(space, accesses, i);
    if (i > begun) yield* sched.delay(touchTime(space, accesses, i - begun));
    if (i === pages.length) break;
    if (i - begun === accesses.slice) continue;
    if (faults === 0) yield* sched.delay(work.cpuLoopFaults(space.id));
    const errno = yield* uvmVmFault(space, accesses.base + (pages[i] ?? 0), writes(accesses, i));
    faults++;
    if (errno !== 0) return { errno, done: i };
    if (space.instance.dead) return { errno: -EIO, done: i };
  }
  const ns = work.cpuLoopEnds(space.id, faults > 0);
  if (accesses.slice === undefined && ns > 0) yield* sched.delay(ns);
  return { errno: 0, done: pages.length };
}

/** ns of a run of touches. */
function touchTime({ driver, id }: UvmVaSpace, { touchNs, write }: UvmCpuAccesses, count: number): number {
  return touchNs === undefined ? driver.work.cpuTouched(id, count, write) : count * touchNs;
}

/** Whether access `i` writes. */
function writes({ kinds, write }: UvmCpuAccesses, i: number): boolean {
  if (kinds === undefined) return write;
  const kind = kinds[i] ?? 0;
  return kind === 2 || kind === 3;
}

/** Performs accesses from `from` as far as the CPU's mappings go; returns the index of the first that faults. */
function cpuRun(space: UvmVaSpace, accesses: UvmCpuAccesses, from: number): number {
  const { base, pages, write, kinds, values } = accesses;
  const { touched, stored } = space.context.scratch;
  let block: UvmVaBlock | undefined;
  const to = Math.min(pages.length, from + (accesses.slice ?? Infinity));
  let i = from;
  for (; i < to; i++) {
    const vpn = base + (pages[i] ?? 0);
    if (block === undefined || vpn < block.start || vpn >= block.start + block.pages) {
      tellTouches(space, accesses, block);
      block = space.range(vpn)?.findBlock(vpn);
      if (block === undefined) break;
    }
    const page = vpn - block.start;
    const stores = kinds === undefined ? write : writes(accesses, i);
    if (!maskTest(stores ? block.cpu.write : block.cpu.read, page)) break;
    maskSet(touched, page);
    if (stores) maskSet(stored, page);
    if (values !== undefined) cpuTransfer(space, block, page, accesses, i);
  }
  tellTouches(space, accesses, block);
  return i;
}

/** Tells what was touched of a block, and forgets it. */
function tellTouches(
  { context, driver, id }: UvmVaSpace,
  { touchNs }: UvmCpuAccesses,
  block: UvmVaBlock | undefined,
): void {
  if (block === undefined) return;
  const { touched, stored } = context.scratch;
  if (touchNs === undefined) driver.work.cpuTouches(id, block.start, touched, stored);
  maskZero(touched);
  maskZero(stored);
}

function cpuTransfer(
  space: UvmVaSpace,
  block: UvmVaBlock,
  page: number,
  accesses: UvmCpuAccesses,
  i: number,
): void {
  const { offset, values, width } = accesses;
  if (values === undefined) return;
  const at = Math.max(UVM_ID_CPU, block.closestResident(UVM_ID_CPU, page));
  const memory = space.context.memoryOf(at);
  const pfn = frameOn(block, at, page);
  if (!accesses.write) {
    values[i] = memory.read(pfn, offset, width);
    return;
  }
  const before = accesses.atomic ? memory.read(pfn, offset, width) : 0;
  memory.write(pfn, offset, width, before + (values[i] ?? 0));
  if (accesses.atomic) values[i] = before;
}
