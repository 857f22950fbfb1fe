import { EFAULT, ENOMEM, PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  FOLL_LONGTERM,
  FOLL_WRITE,
  type MemorySystem,
  type MmStruct,
  pinUserPages,
  unpinUserPage,
} from '@hmm/mm';
import { accessData } from '@hmm/mm/internal';
import { type AtomicTransfer, IB_ACCESS_WRITABLE } from '@hmm/rdma-nic';

/** Bytes that a program keeps beside the modelled process: registered the ordinary way, never absent. */
export interface PinnedBuffer {
  readonly kind: 'buffer';
  readonly bytes: Uint8Array;
}

/** Pages of the process that are pinned for as long as the region is. */
export interface PinnedPages {
  readonly kind: 'pages';
  /** Frame of each page. */
  readonly frames: Int32Array;
}

/** Where a region that is not on demand is. @kernel include/rdma/ib_umem.h ib_umem */
export type PinnedUmem = PinnedBuffer | PinnedPages;

/**
 * Pins the pages of a range for good. @returns them, `-EFAULT` or `-ENOMEM`.
 * @kernel drivers/infiniband/core/umem.c ib_umem_get (without: RLIMIT_MEMLOCK, scatter lists and their DMA
 * mapping, cgroups)
 */
export function* ibUmemGet(
  mm: MmStruct,
  va: number,
  length: number,
  access: number,
): Task<PinnedPages | number> {
  const first = Math.floor(va / PAGE_SIZE);
  const count = Math.ceil((va + length) / PAGE_SIZE) - first;
  const frames: number[] = [];
  const flags = FOLL_LONGTERM | ((access & IB_ACCESS_WRITABLE) !== 0 ? FOLL_WRITE : 0);
  yield* mm.mmapLock.read();
  const got = yield* pinUserPages(mm, first, count, flags, frames);
  mm.mmapLock.unlockRead();
  if (got === count) return { kind: 'pages', frames: Int32Array.from(frames) };
  for (const pfn of frames) unpinUserPage(mm.system, pfn);
  return got === -ENOMEM ? -ENOMEM : -EFAULT;
}

/**
 * Drops the pins.
 * @kernel drivers/infiniband/core/umem.c ib_umem_release (without: the DMA mapping, pages that become dirty)
 */
export function ibUmemRelease(system: MemorySystem, umem: PinnedUmem): void {
  if (umem.kind === 'pages') for (const pfn of umem.frames) unpinUserPage(system, pfn);
}

/** Copies between a packet and a pinned region that starts at `va`, from `at` bytes into it on. */
export function pinnedCopy(
  system: MemorySystem,
  umem: PinnedUmem,
  va: number,
  at: number,
  payload: Uint8Array,
  toMemory: boolean,
): void {
  if (umem.kind === 'buffer') {
    if (toMemory) umem.bytes.set(payload, at);
    else payload.set(umem.bytes.subarray(at, at + payload.length));
    return;
  }
  const first = va - (va % PAGE_SIZE);
  for (let done = 0; done < payload.length;) {
    const address = va + at + done;
    const part = payload.subarray(done, done + PAGE_SIZE - (address % PAGE_SIZE));
    frameCopy(
      system,
      umem.frames[Math.floor((address - first) / PAGE_SIZE)] ?? 0,
      address % PAGE_SIZE,
      part,
      toMemory,
    );
    done += part.length;
  }
}

/** Copies between a part of a packet and a frame. */
export function frameCopy(
  system: MemorySystem,
  pfn: number,
  offset: number,
  part: Uint8Array,
  toMemory: boolean,
): void {
  accessData(system, pfn, toMemory);
  if (toMemory) system.data.write(pfn, offset, part);
  else system.data.read(pfn, offset, part);
}

/** Does an atomic on eight bytes of a frame. @returns the old value. */
export function frameAtomic(
  system: MemorySystem,
  pfn: number,
  offset: number,
  transfer: AtomicTransfer,
): bigint {
  const bytes = new Uint8Array(8);
  frameCopy(system, pfn, offset, bytes, false);
  const view = new DataView(bytes.buffer);
  const old = view.getBigUint64(0, true);
  const { opcode, compareAdd, swap } = transfer;
  const add = opcode === 'ATOMIC_FETCH_AND_ADD';
  if (!add && old !== compareAdd) return old;
  view.setBigUint64(0, add ? BigInt.asUintN(64, old + compareAdd) : swap, true);
  frameCopy(system, pfn, offset, bytes, true);
  return old;
}
