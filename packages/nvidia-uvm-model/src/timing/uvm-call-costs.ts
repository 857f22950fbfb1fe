import { PAGES_PER_BLOCK } from '../uvm-page-mask.js';
import { UVM_ID_GPU } from '../uvm-types.js';
import type { UvmAdvised, UvmCopied, UvmMigrated } from '../uvm-work.js';
import type { UvmCosts } from './uvm-figures.js';
import type { UvmWarmth } from './uvm-warmth.js';

/** What calls of a process cost, ns: advice, prefetches, discards, copies, forks, and the kernel's own accesses. */
export class UvmCallCosts {
  private readonly costs: UvmCosts;

  constructor(costs: UvmCosts) {
    this.costs = costs;
  }

  migrated(warmth: UvmWarmth, call: UvmMigrated): number {
    const { costs } = this;
    const toGpu = call.to === UVM_ID_GPU;
    const moved = call.copied + call.zeroed;
    let ns = warmth.called ? 0 : moved === 0 ? costs.callEmptyCold : costs.callCold;
    this.begins(warmth);
    if (moved > 0 && warmth.prefetches++ === 0 && !(toGpu && warmth.kernels > 0)) ns += costs.callFirst;
    if (toGpu && moved > 0 && warmth.usesGpu()) ns += costs.prefetchToGpuFirst;
    if (!toGpu && warmth.askedToCpu++ === 0) ns += costs.prefetchToCpuFirst;
    return ns + (toGpu ? this.toGpu(call) : this.toCpu(call));
  }

  advised(warmth: UvmWarmth, call: UvmAdvised): number {
    const { costs } = this;
    const changed = call.cut + call.looked + call.mapped + call.protected > 0;
    let ns = warmth.advice++ === 0 && warmth.prefetches === 0 ? costs.adviceFirst : 0;
    if (call.mapped > 0 && warmth.usesGpu()) ns += costs.adviceMapFirst;
    if (this.begins(warmth) && changed) ns += costs.adviceAfterWork;
    const pages =
      costs.advicePage * call.looked +
      costs.adviceMapPage * call.mapped +
      costs.adviceProtectPage * call.protected;
    return ns + costs.advice + costs.adviceCut * call.cut + costs.adviceCutPage * call.cutPages + pages;
  }

  discarded(warmth: UvmWarmth, pages: number): number {
    const { costs } = this;
    const cold = this.begins(warmth) ? costs.discardAfterWork : 0;
    const first = warmth.discards++ === 0 ? costs.discardFirst : 0;
    return cold + first + costs.discard + costs.discardPage * pages;
  }

  kernelAccessed(warmth: UvmWarmth, pages: number): number {
    const { costs } = this;
    warmth.worked = true;
    return costs.gupCall + costs.gupPage * pages;
  }

  copied(warmth: UvmWarmth, { bulk, linkNs, pages }: UvmCopied): number {
    const { costs } = this;
    warmth.otherWork = true;
    warmth.worked = true;
    const first = warmth.copies.has(bulk) ? 0 : costs.copyFirst;
    warmth.copies.add(bulk);
    if (bulk !== 'host-copy') return first + costs.copyCall + linkNs;
    return first + costs.copyCall + costs.copyHost + Math.max(linkNs, costs.copyHostPage * pages);
  }

  /** A fork keeps the CPU awake: it is no pause between kernels. */
  forked(warmth: UvmWarmth): number {
    const { fork } = this.costs;
    warmth.otherWork = true;
    warmth.worked = true;
    warmth.lastKernelEnd += fork;
    return fork;
  }

  /** A call begins. @returns whether something else was done since the call before. */
  private begins(warmth: UvmWarmth): boolean {
    const { worked } = warmth;
    warmth.called = true;
    warmth.otherWork = true;
    warmth.worked = false;
    return worked;
  }

  private toGpu({ copied, zeroed }: UvmMigrated): number {
    const { costs } = this;
    if (copied + zeroed === 0) return costs.callEmpty;
    if (copied <= costs.prefetchShort) return costs.prefetchToGpuShort;
    return costs.prefetchToGpu + costs.prefetchToGpuPage * copied;
  }

  private toCpu({ chunks, copied, zeroed }: UvmMigrated): number {
    const { costs } = this;
    const moved = copied + zeroed;
    if (moved === 0) return costs.callEmpty;
    const page = moved <= PAGES_PER_BLOCK ? costs.prefetchToCpuOnePage : costs.prefetchToCpuPage;
    return costs.prefetchToCpu + costs.hostChunkZero * chunks + page * moved;
  }
}
