import { EIO, type Task } from '@hmm/kernel';
import type { UvmCosts, UvmCpuWarmth } from './uvm-costs.js';
import { beginTouches, noteTouch, touches } from './uvm-cpu-touch.js';
import { maskTest } from './uvm-page-mask.js';
import { UVM_ID_CPU } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import { uvmVmFault } from './uvm-vm.js';

/** A loop's own time, ns: what the process's n-th loop of reads, or of writes, takes is `LOOP_NS + LOOP_FIRST_NS / n`. */
const LOOP_NS = 44;
const LOOP_FIRST_NS = 100;

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
 * costs no service; others fault. Time passes as the driver's costs say.
 */
export function* uvmCpuAccess(
  space: UvmVaSpace,
  accesses: UvmCpuAccesses,
  cold: UvmCpuWarmth,
): Task<UvmCpuResult> {
  const { sched } = space.kernel;
  const { costs } = space.driver;
  const { pages } = accesses;
  let faults = 0;
  space.callWarm = false;
  space.pause = sched.now - space.lastDone;
  for (let i = 0; i < pages.length;) {
    const begun = i;
    const stop = cpuRun(space, accesses, i);
    if (stop > i) yield* sched.delay(touchTime(costs, accesses, stop - i, cold));
    i = stop;
    if (i === pages.length) break;
    if (stop - begun === accesses.slice) continue;
    if (faults === 0) yield* sched.delay(space.cpuFaults === 0 ? costs.cpuStepFirst : costs.cpuStep);
    const errno = yield* uvmVmFault(
      space.driver,
      space,
      accesses.base + (pages[i] ?? 0),
      writes(accesses, i),
      faults === 0 ? cold : 'warm',
    );
    faults++;
    if (errno !== 0) return { errno, done: i };
    if (space.instance.dead) return { errno: -EIO, done: i };
  }
  const loops = accesses.write ? ++space.cpuWriteLoops : ++space.cpuReadLoops;
  if (faults === 0 && accesses.slice === undefined) yield* sched.delay(LOOP_NS + LOOP_FIRST_NS / loops);
  space.lastDone = sched.now;
  return { errno: 0, done: pages.length };
}

/** ns of the last {@link cpuRun}, of `count` touches. After a pause every line is far; a first touch costs the same near and far. */
function touchTime(costs: UvmCosts, accesses: UvmCpuAccesses, count: number, cold: UvmCpuWarmth): number {
  if (accesses.touchNs !== undefined) return count * accesses.touchNs;
  const far = cold === 'warm' ? touches.far : count - touches.first;
  const near = accesses.write ? costs.cpuWriteWarm : costs.cpuReadWarm;
  const firsts = costs.cpuDirty * touches.dirty + costs.cpuTouch * touches.first;
  return (count - far) * near + far * costs.cpuTouchFar + firsts;
}

/** Whether access `i` writes. */
function writes({ kinds, write }: UvmCpuAccesses, i: number): boolean {
  if (kinds === undefined) return write;
  const kind = kinds[i] ?? 0;
  return kind === 2 || kind === 3;
}

/** Performs accesses from `from` as far as the CPU's mappings go; returns the index of the first that faults. */
function cpuRun(space: UvmVaSpace, accesses: UvmCpuAccesses, from: number): number {
  const { base, pages, write, kinds, values, touchNs } = accesses;
  let block: UvmVaBlock | undefined;
  beginTouches();
  const to = Math.min(pages.length, from + (accesses.slice ?? Infinity));
  for (let i = from; i < to; i++) {
    const vpn = base + (pages[i] ?? 0);
    if (block === undefined || vpn < block.start || vpn >= block.start + block.pages) {
      block = space.range(vpn)?.findBlock(vpn);
      if (block === undefined) return i;
    }
    const page = vpn - block.start;
    const stores = kinds === undefined ? write : writes(accesses, i);
    if (!maskTest(stores ? block.cpu.write : block.cpu.read, page)) return i;
    if (touchNs === undefined) noteTouch(space, block, page, stores);
    if (values !== undefined) cpuTransfer(space, block, page, accesses, i, values);
  }
  return to;
}

function cpuTransfer(
  space: UvmVaSpace,
  block: UvmVaBlock,
  page: number,
  accesses: UvmCpuAccesses,
  i: number,
  values: Uint32Array,
): void {
  const { offset, width } = accesses;
  const here = block.closestResident(UVM_ID_CPU, page) === UVM_ID_CPU;
  const memory = here ? space.driver.gpu.sysmem : space.driver.gpu.vidmem;
  const pfn = here ? block.cpuFrame(page) : block.gpuFrame(page);
  if (!accesses.write) {
    values[i] = memory.read(pfn, offset, width);
    return;
  }
  const before = accesses.atomic ? memory.read(pfn, offset, width) : 0;
  memory.write(pfn, offset, width, before + (values[i] ?? 0));
  if (accesses.atomic) values[i] = before;
}
