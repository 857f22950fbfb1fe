import { EINVAL, type Task } from '@hmm/kernel';
import {
  maskAnd,
  maskClear,
  maskCopy,
  maskEmpty,
  maskNext,
  maskSet,
  maskTest,
  newMask,
} from './uvm-page-mask.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import { uvmVmFault } from './uvm-vm.js';

/**
 * The kernel takes hold of pages of managed memory for itself, as `get_user_pages` does for `process_vm_readv`, direct I/O or an
 * adapter: where the CPU has them not mapped, or not for writing and `write`, it faults them in, page by page. The driver does
 * not know: nothing keeps the pages from moving afterwards.
 * @returns 0; the errno of the first page that cannot be had, with those before it taken.
 * @kernel mm/gup.c faultin_page (without: retries, pages of other kinds)
 */
export function* uvmGetUserPages(
  space: UvmVaSpace,
  start: number,
  pages: number,
  write: boolean,
): Task<number> {
  for (let vpn = start; vpn < start + pages; vpn++) {
    const block = space.range(vpn)?.findBlock(vpn);
    const mapped = block === undefined ? undefined : write ? block.cpu.write : block.cpu.read;
    if (block !== undefined && mapped !== undefined && maskTest(mapped, vpn - block.start)) continue;
    const errno = yield* uvmVmFault(space, vpn, write);
    if (errno !== 0) return errno;
  }
  yield* space.kernel.sched.delay(space.driver.work.kernelAccessed(space.id, pages));
  return 0;
}

/**
 * Somebody takes long-term pins (an adapter that registers memory, say): {@link uvmGetUserPages}, and the frames are remembered.
 * @returns as {@link uvmGetUserPages}; on failure nothing is pinned.
 */
export function* uvmPinPages(space: UvmVaSpace, start: number, pages: number, write: boolean): Task<number> {
  const errno = yield* uvmGetUserPages(space, start, pages, write);
  if (errno !== 0) return errno;
  for (let vpn = start; vpn < start + pages; vpn++) {
    const block = space.range(vpn)?.findBlock(vpn);
    if (block === undefined) continue;
    block.pinned ??= newMask();
    maskSet(block.pinned, vpn - block.start);
  }
  return 0;
}

/** Drops the pins of these pages; -EINVAL where there are none. */
export function* uvmUnpinPages(space: UvmVaSpace, start: number, pages: number): Task<number> {
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  let dropped = 0;
  for (let vpn = start; vpn < start + pages; vpn++) {
    const block = space.range(vpn)?.findBlock(vpn);
    const page = block === undefined ? 0 : vpn - block.start;
    if (block?.pinned === undefined || !maskTest(block.pinned, page)) continue;
    maskClear(block.pinned, page);
    dropped++;
    if (maskEmpty(block.pinned)) block.pinned = undefined;
  }
  space.lock.unlockRead();
  return dropped > 0 ? 0 : -EINVAL;
}

/**
 * What the holders of pins read at byte 0 of these pages: the host frames that they took, wherever the data is by now. -1 for a page
 * without a pin.
 */
export function* uvmPinnedBytes(space: UvmVaSpace, start: number, pages: number): Task<readonly number[]> {
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  const bytes = Array.from({ length: pages }, (_, i) => {
    const block = space.range(start + i)?.findBlock(start + i);
    const page = block === undefined ? 0 : start + i - block.start;
    if (block?.pinned === undefined || !maskTest(block.pinned, page)) return -1;
    return space.driver.sysmem.readByte(block.cpuFrame(page), 0);
  });
  space.lock.unlockRead();
  return bytes;
}

/** Says in the log, once a block, that pages of the mask `leaving` leave host frames that somebody has pinned. */
export function warnOfPins(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { moving } = ctx.scratch;
  const { pinned } = block;
  if (pinned === undefined || block.warnedOfPins) return;
  const stale = ctx.scratch.revoked;
  maskCopy(stale, pinned);
  maskAnd(stale, moving);
  const first = maskNext(stale, 0);
  if (first >= block.pages) return;
  block.warnedOfPins = true;
  const { space } = block.range;
  const start = space.allocation(block.start + first)?.start ?? block.start;
  space.driver.log.push(
    `nvidia-uvm: warning: page ${block.start + first - start} of a managed allocation moved to the GPU while the kernel holds a long-term pin on it: the pinner keeps a stale copy`,
  );
}
