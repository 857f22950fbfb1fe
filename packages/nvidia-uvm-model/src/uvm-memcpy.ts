import { GPU_ACCESS_READ, GPU_ACCESS_WRITE, type GpuBulk, type PhysicalMemory } from '@hmm/gpu';
import { EINVAL, EIO, PAGE_SIZE, type Task } from '@hmm/kernel';
import { FOLL_WRITE, type MmStruct, pinUserPages, unpinUserPage } from '@hmm/mm';
import { accessData } from '@hmm/mm/internal';
import { sequence } from './uvm-sequence.js';
import { launchKernel } from './uvm-launch.js';
import {
  processorIn,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UvmEventMigrationCauseUser,
  type UvmProcessorId,
} from './uvm-types.js';
import { bookCopy } from './uvm-va-block-copy.js';
import { frameOn } from './uvm-va-block-frames.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import type { UvmCopied } from './uvm-work.js';

/** Where pages of a copy are: device memory that `cudaMalloc` gave, managed memory, the process's own. */
type Side = 'device' | 'managed' | 'host';

function sideOf(space: UvmVaSpace, vpn: number): Side {
  const range = space.range(vpn);
  if (range === undefined) return 'host';
  return range.deviceOnly ? 'device' : 'managed';
}

/** What a copy takes, as the runtime chooses it: with pageable memory of the process on one side, or with none. */
interface Copy {
  readonly from: number;
  readonly to: number;
  readonly pages: number;
}

/**
 * `cudaMemcpy` of whole pages and a synchronise. Managed memory is read and written by the GPU, whose faults bring its pages, or map
 * them where advice says so; memory of the process goes through buffers of the driver's, page by page on a CPU, which faults in what
 * is not there.
 * @returns 0; -EINVAL where both sides are the process's own; what pinning pages of the process fails with; -EIO for a context that
 * is lost.
 */
export function* uvmMemcpy(space: UvmVaSpace, mm: MmStruct | undefined, copy: Copy): Task<number> {
  const sides = [sideOf(space, copy.from), sideOf(space, copy.to)] as const;
  const host = sides.includes('host');
  if (sides[0] === sides[1] && host) return -EINVAL;
  const frames: number[] = [];
  if (host) {
    if (mm === undefined) return -EINVAL;
    const got = yield* hostFrames(mm, copy, sides[1] === 'host', frames);
    if (got !== 0) return got;
  }
  const errno = yield* faultIn(space, copy, sides);
  if (errno === 0) {
    moveContents(space, mm, copy, frames);
    const hops = hopsOf(space, copy, sides);
    const linkNs = hops.reduce((ns, hop) => ns + bookHop(space, hop, copy.pages), 0);
    yield* pass(space, { space: space.id, bulk: bulkOf(sides), pages: copy.pages, linkNs });
  }
  if (mm !== undefined) for (const pfn of frames) unpinUserPage(mm.system, pfn);
  return errno;
}

/** The GPU that has memory which `cudaMalloc` gave. */
function gpuOf(space: UvmVaSpace, vpn: number): UvmProcessorId {
  const block = space.block(vpn);
  return block === undefined ? UVM_ID_GPU : block.closestResident(UVM_ID_GPU, vpn - block.start);
}

/** The GPU whose kernel accesses the managed side of a copy: that of the other side, else the first. */
function copyingGpu(space: UvmVaSpace, copy: Copy, [from, to]: readonly [Side, Side]): UvmProcessorId {
  if (from === 'device') return gpuOf(space, copy.from);
  return to === 'device' ? gpuOf(space, copy.to) : UVM_ID_GPU;
}

/** Which work of the runtime's a copy is. */
const bulkOf = (sides: readonly [Side, Side]): GpuBulk => (sides.includes('host') ? 'host-copy' : 'copy');

/** Managed pages are accessed by a kernel, whose faults bring them or map them. Returns 0, or -EIO where it is cancelled. */
function* faultIn(space: UvmVaSpace, copy: Copy, sides: readonly [Side, Side]): Task<number> {
  const [from, to] = sides;
  const by = copyingGpu(space, copy, sides);
  const bulk = bulkOf(sides);
  if (from === 'managed') {
    const errno = yield* uvmBulkAccess(space, copy.from, copy.pages, GPU_ACCESS_READ, bulk, by);
    if (errno !== 0) return errno;
  }
  if (to !== 'managed') return 0;
  return yield* uvmBulkAccess(space, copy.to, copy.pages, GPU_ACCESS_WRITE, bulk, by);
}

/** A way that data takes: from one processor to another. */
interface Hop {
  readonly from: UvmProcessorId;
  readonly to: UvmProcessorId;
}

/**
 * The ways that a copy's bytes take over links: between host and GPU, from one GPU's memory to another's (`cudaMemcpyPeer`) over what
 * links the two, or by way of the host where they are no peers. None where all is on one GPU, or managed and faulted in.
 */
function hopsOf(space: UvmVaSpace, copy: Copy, sides: readonly [Side, Side]): Hop[] {
  const [from, to] = sides;
  if (from === 'host')
    return [{ from: UVM_ID_CPU, to: to === 'device' ? gpuOf(space, copy.to) : UVM_ID_GPU }];
  if (to === 'host')
    return [{ from: from === 'device' ? gpuOf(space, copy.from) : UVM_ID_GPU, to: UVM_ID_CPU }];
  if (from !== 'device' || to !== 'device') return [];
  const [source, target] = [gpuOf(space, copy.from), gpuOf(space, copy.to)];
  if (source === target) return [];
  if (processorIn(space.driver.links.canCopyFrom(target), source)) return [{ from: source, to: target }];
  return [
    { from: source, to: UVM_ID_CPU },
    { from: UVM_ID_CPU, to: target },
  ];
}

/** Books and counts `pages` pages that take a way. Returns the time that the link has for them, ns. */
function bookHop({ driver }: UvmVaSpace, { from, to }: Hop, pages: number): number {
  driver.tools.countBytes(UvmEventMigrationCauseUser, from, to, pages * PAGE_SIZE);
  return bookCopy(driver, from, to, pages * PAGE_SIZE);
}

/** Lets the time of a copy or fill pass. */
function* pass({ driver, kernel }: UvmVaSpace, done: UvmCopied): Task {
  const ns = driver.work.copied(done);
  driver.tools.counters.explicitNs += ns;
  yield* kernel.sched.delay(ns);
}

/** The frames of the process's own pages, faulted in and held: in `frames`. Returns 0 or a negative errno. */
function* hostFrames(
  mm: MmStruct,
  { from, to, pages }: Copy,
  write: boolean,
  frames: number[],
): Task<number> {
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const got = yield* pinUserPages(mm, write ? to : from, pages, write ? FOLL_WRITE : 0, frames);
  mm.mmapLock.unlockRead();
  if (got === pages) return 0;
  for (const pfn of frames.splice(0)) unpinUserPage(mm.system, pfn);
  return got < 0 ? got : -EINVAL;
}

/** Reads or writes all bytes of managed pages by a kernel of the runtime, on GPU `id`. Returns 0, or -EIO where it is cancelled. */
export function* uvmBulkAccess(
  space: UvmVaSpace,
  base: number,
  pages: number,
  access: number,
  bulk: GpuBulk,
  id: UvmProcessorId = UVM_ID_GPU,
): Task<number> {
  const plain = { shape: 'parallel' as const, offset: 0, width: 1, values: undefined };
  const kernel = yield* launchKernel(space, { ...plain, access, base, pages: sequence(pages), bulk }, id);
  return kernel.finished ? 0 : -EIO;
}

/** `cudaMemset` of whole pages of device or managed memory, and a synchronise. Returns as {@link uvmMemcpy}. */
export function* uvmMemset(space: UvmVaSpace, vpn: number, pages: number, byte: number): Task<number> {
  const side = sideOf(space, vpn);
  if (side === 'host') return -EINVAL;
  if (side === 'managed') {
    const errno = yield* uvmBulkAccess(space, vpn, pages, GPU_ACCESS_WRITE, 'fill');
    if (errno !== 0) return errno;
  }
  for (let i = 0; i < pages; i++) {
    const { memory, pfn } = placeOf(space, vpn + i);
    memory.fill(pfn, 1, byte);
  }
  yield* pass(space, { space: space.id, bulk: 'fill', pages, linkNs: 0 });
  return 0;
}

/** The memory and the frame that hold a page of the driver's. */
function placeOf(space: UvmVaSpace, vpn: number): { memory: PhysicalMemory; pfn: number } {
  const { driver } = space;
  const block = space.block(vpn);
  if (block === undefined) return { memory: driver.sysmem, pfn: 0 };
  const page = vpn - block.start;
  const at = Math.max(UVM_ID_CPU, block.closestResident(UVM_ID_GPU, page));
  const memory = at === UVM_ID_CPU ? driver.sysmem : driver.gpuOf(at).hw.vidmem;
  return { memory, pfn: frameOn(block, at, page) };
}

function moveContents(
  space: UvmVaSpace,
  mm: MmStruct | undefined,
  copy: Copy,
  frames: readonly number[],
): void {
  const bytes = new Uint8Array(PAGE_SIZE);
  const fromHost = sideOf(space, copy.from) === 'host';
  for (let i = 0; i < copy.pages; i++) {
    const pfn = frames[i];
    if (mm === undefined || pfn === undefined) {
      const source = placeOf(space, copy.from + i);
      const target = placeOf(space, copy.to + i);
      target.memory.copyFrom(target.pfn, source.memory, source.pfn, 1);
      continue;
    }
    const { memory, pfn: own } = placeOf(space, fromHost ? copy.to + i : copy.from + i);
    accessData(mm.system, pfn, !fromHost);
    if (fromHost) {
      mm.system.data.read(pfn, 0, bytes);
      memory.writePage(own, bytes);
    } else {
      memory.readPage(own, bytes);
      mm.system.data.writePage(pfn, bytes);
    }
  }
}
