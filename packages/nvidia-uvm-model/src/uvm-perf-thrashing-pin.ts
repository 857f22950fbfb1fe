import { maskSet, maskZero } from './uvm-page-mask.js';
import { uvmPerfThrashingResetPage } from './uvm-perf-thrashing.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** A page that the detector has pinned until a time, ns. @uvm uvm_perf_thrashing.c pinned_page_t */
export interface UvmPin {
  readonly block: UvmVaBlock;
  readonly page: number;
  readonly deadline: number;
}

/**
 * Unpins what was pinned long enough by `now`, ns: remote mappings go, and the page begins anew.
 * @uvm uvm_perf_thrashing.c thrashing_unpin_pages (all)
 */
export function uvmPerfThrashingUnpin(space: UvmVaSpace, now: number): void {
  const { pins } = space;
  while ((pins[0]?.deadline ?? Infinity) <= now) {
    const pin = pins.shift();
    if (pin === undefined) return;
    const pages = pin.block.thrashing?.pages;
    if (pages?.pinDeadline[pin.page] !== pin.deadline || pages.pinnedAt[pin.page] === 0) continue;
    unmapRemote(space, pin);
    uvmPerfThrashingResetPage(space.context.tools, pin.block, pin.page, pin.deadline);
  }
}

function unmapRemote({ context: ctx }: UvmVaSpace, { block, page }: UvmPin): void {
  const { onePage } = ctx.scratch;
  maskZero(onePage);
  maskSet(onePage, page);
  for (let id = 0; id < block.processorCount; id++) {
    if (block.closestResident(id, page) !== id) uvmVaBlockUnmap(ctx, block, id, onePage);
  }
}
