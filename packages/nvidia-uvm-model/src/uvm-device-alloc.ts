import { ENOMEM, type Task } from '@hmm/kernel';
import { maskFill, maskZero } from './uvm-page-mask.js';
import {
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE,
  UVM_PROT_NONE,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  type UvmProcessorId,
} from './uvm-types.js';
import { uvmVaBlockMakeResident } from './uvm-va-block-make-resident.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { UVM_MAP_UNTOLD, uvmVaBlockMap } from './uvm-va-block-map.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/**
 * `cudaMalloc` of `bytes` bytes at page `start` on GPU `id`: memory that this GPU and its peers have mapped, that nothing evicts and that
 * no CPU reaches; to a GPU that is no peer the address means nothing.
 * What is in the way of managed memory is evicted for it. The real one comes from the resource manager, in pieces of 2 MiB, as here.
 * @returns 0; -ENOMEM where device memory is used up; as `UvmVaSpace.alloc` otherwise.
 */
export function* uvmDeviceAlloc(
  space: UvmVaSpace,
  start: number,
  bytes: number,
  id: UvmProcessorId,
): Task<number> {
  const errno = space.alloc(start, bytes);
  const range = space.range(start);
  if (errno !== 0 || range === undefined) return errno;
  range.deviceOnly = true;
  range.cpuProt = UVM_PROT_NONE;
  const { context: ctx, driver } = space;
  for (let at = range.start; at < range.end;) {
    const block = range.block(at);
    block.unevictable = true;
    if (!block.lock.tryFast()) yield* block.lock.lock();
    ctx.begin(UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE, driver.clock.time());
    const { region } = ctx.scratch;
    maskZero(region);
    maskFill(region, 0, block.pages);
    const had = uvmVaBlockMakeResident(ctx, block, id, region);
    if (had) mapOnPeers(ctx, block, id);
    block.lock.unlock();
    if (!had) {
      space.free(start);
      return -ENOMEM;
    }
    at = block.start + block.pages;
  }
  return 0;
}

/** Maps all of a block, which is on GPU `id`, there and on the GPUs that reach it. The driver of managed memory tells nothing of it. */
function mapOnPeers(ctx: UvmServiceBlockContext, block: UvmVaBlock, id: UvmProcessorId): void {
  const { links, scratch } = ctx;
  for (let other = UVM_ID_GPU; other < block.processorCount; other++) {
    if (!links.canAccess(other, id)) continue;
    const prot = links.nativeAtomics(other, id) ? UVM_PROT_READ_WRITE_ATOMIC : UVM_PROT_READ_WRITE;
    uvmVaBlockMap(ctx, block, other, scratch.region, prot, UVM_MAP_UNTOLD);
  }
}
