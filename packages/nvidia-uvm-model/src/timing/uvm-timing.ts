import type { Sched } from '@hmm/kernel';
import type { UvmClock, UvmMoments } from '../uvm-clock.js';
import { PAGES_PER_BLOCK, type UvmPageMask } from '../uvm-page-mask.js';
import { UVM_ID_GPU, type UvmProcessorId } from '../uvm-types.js';
import type {
  UvmAdvised,
  UvmBatchServes,
  UvmBlockWork,
  UvmCopied,
  UvmMigrated,
  UvmPagesMoved,
  UvmTimingPorts,
  UvmWork,
} from '../uvm-work.js';
import { RECORDED_LINK, type UvmLinkPages } from './uvm-link-pages.js';
import { UvmCallCosts } from './uvm-call-costs.js';
import { TRACED_FIGURES, type UvmCosts, type UvmFigures, valuesOf } from './uvm-figures.js';
import { UvmWarmth } from './uvm-warmth.js';

/**
 * What the driver's work costs on a machine, by {@link UvmFigures}: turns the driver's records into time, and keeps what gets warm. It decides
 * nothing but the moments of {@link UvmClock}.
 */
export class UvmTiming implements UvmClock, UvmTimingPorts, UvmWork {
  private readonly sched: Sched;
  private readonly costs: UvmCosts;
  private readonly calls: UvmCallCosts;
  /** What a service costs on this machine beside the recorded one's. */
  private readonly scale: number;
  private readonly link: UvmLinkPages;
  private readonly spaces: UvmWarmth[] = [];
  /** Batches fetched; batches in a row, up to the one before, that were refused. */
  private batches = 0;
  private refusals = 0;
  /** No fault of the running kernel has been served yet. */
  private firstOfKernel = true;
  /** The running kernel is one of the runtime's, and its process had no fault of the GPU before. */
  private bulk = false;
  private coldBulk = false;
  /** A service has met a thrashing page before. */
  private metThrashing = false;

  constructor(
    sched: Sched,
    scale = 1,
    figures: UvmFigures = TRACED_FIGURES,
    link: UvmLinkPages = RECORDED_LINK,
  ) {
    this.sched = sched;
    this.link = link;
    this.scale = scale;
    this.costs = valuesOf(figures);
    this.calls = new UvmCallCosts(this.costs);
  }

  get clock(): UvmClock {
    return this;
  }

  get work(): UvmWork {
    return this;
  }

  time(): number {
    return this.sched.now;
  }

  gpuService(
    space: number,
    gpu: UvmProcessorId,
    entries: number,
    thrashes: boolean,
    moments: UvmMoments,
  ): void {
    const { costs } = this;
    const resumes = this.refusals > 0;
    moments.hintTime = moments.startTime + costs.hintAt;
    moments.migrationTime = moments.hintTime + (resumes ? costs.gpuResumeMigrationAt : costs.gpuMigrationAt);
    if (entries === 1 && this.warmth(space).faultsOfGpu[gpu] === 0)
      moments.migrationTime += costs.gpuFirstService;
    this.meet(thrashes, moments);
  }

  cpuService(thrashes: boolean, slept: boolean, moments: UvmMoments): void {
    const { costs } = this;
    moments.hintTime = moments.startTime + costs.hintAt;
    moments.migrationTime = moments.hintTime + costs.cpuMigrationAt + (slept ? costs.cpuSleptAt : 0);
    this.meet(thrashes, moments);
  }

  hostChunkZeroed(moments: UvmMoments): void {
    moments.migrationTime += this.costs.hostChunkZero;
  }

  tableWritten(ns: number, run: number): number {
    return this.sched.now + ns - this.costs.gpuTableLead + this.costs.gpuTableWrite * run;
  }

  pollsUntil(lastReplay: number): number {
    return lastReplay + this.costs.gpuPoll;
  }

  readsPut(arrival: number): number {
    return Math.max(this.sched.now, arrival) + this.costs.gpuPutRead;
  }

  spaceOpened(space: number): void {
    this.spaces[space] = new UvmWarmth();
  }

  kernelLaunched(space: number, bulk: boolean): number {
    const warmth = this.warmth(space);
    this.firstOfKernel = true;
    this.bulk = bulk;
    this.coldBulk = warmth.gpuFaults === 0;
    warmth.kernels++;
    warmth.called = false;
    warmth.otherWork = true;
    warmth.worked = true;
    const { costs } = this;
    if (warmth.kernels === 1) return costs.launchFirst;
    const idle = (this.sched.now - warmth.lastKernelEnd) / costs.launchIdleTime;
    const warming = costs.launchCold * Math.exp(2 - warmth.kernels);
    return costs.launch + warming + costs.launchIdle * (1 - Math.exp(-idle));
  }

  kernelEnded(space: number): number {
    const warmth = this.warmth(space);
    const { kernelEnd } = this.costs;
    warmth.lastKernelEnd = this.sched.now + kernelEnd;
    warmth.lastDone = warmth.lastKernelEnd;
    return kernelEnd;
  }

  cpuLoopBegins(space: number): void {
    const warmth = this.warmth(space);
    warmth.called = false;
    warmth.pause = this.sched.now - warmth.lastDone;
    warmth.cold = warmth.otherWork;
    warmth.coldLoop = warmth.otherWork;
    warmth.touched = 0;
    warmth.otherWork = false;
  }

  cpuLoopFaults(): number {
    return this.costs.cpuLoopFault;
  }

  cpuLoopEnds(space: number, faulted: boolean): number {
    const warmth = this.warmth(space);
    const ns = faulted ? 0 : this.costs.cpuLoop + (warmth.coldLoop ? this.costs.cpuLoopAfterWork : 0);
    if (faulted) warmth.worked = true;
    warmth.lastDone = this.sched.now + ns;
    return ns;
  }

  cpuTouches(space: number, start: number, touched: UvmPageMask, stored: UvmPageMask): void {
    this.warmth(space).pages.touch(start, touched, stored);
  }

  cpuTouched(space: number, pages: number, stores: boolean): number {
    const { costs } = this;
    const warmth = this.warmth(space);
    const { cold, pages: used } = warmth;
    const warm = stores ? costs.cpuWrite : costs.cpuRead;
    warmth.touched += pages;
    const far = Math.min(pages, Math.max(0, warmth.touched - costs.cpuNear)) * costs.cpuTouchFar;
    const again = far + (pages - used.first) * (cold ? costs.cpuTouchAfterWork : warm);
    const ns = again + used.first * (warm + costs.cpuFirstTouch) + used.dirtied * costs.cpuDirty;
    used.begin();
    return ns;
  }

  cpuMapped(space: number, start: number, pages: UvmPageMask): void {
    this.warmth(space).pages.clear(start, pages);
  }

  cpuLookedUp(): number {
    return this.costs.cpuFaultLookUp;
  }

  cpuThrottled(left: number): number {
    return Math.max(1, this.costs.cpuSleepFactor * left);
  }

  cpuFaultServed(space: number, blockPages: number, done: UvmBlockWork): number {
    const { costs } = this;
    const warmth = this.warmth(space);
    const k = warmth.cpuFaults++;
    let ns = costs.cpuFault + (k === 0 ? costs.cpuFirstFault : this.warmUp(costs.cpuColdFault, k));
    if (warmth.cold && k > 0) {
      ns += warmth.coldLoops++ === 0 ? costs.cpuFirstFaultAfterWork : costs.cpuFaultAfterWork;
      ns += costs.cpuFaultAfterPause * (1 - Math.exp(-warmth.pause / costs.pauseTime));
    }
    warmth.cold = false;
    ns += costs.hostChunkZero * done.zeroedChunks;
    const short = blockPages < PAGES_PER_BLOCK ? costs.cpuPopulateShortPage : 0;
    ns += (costs.cpuPopulatePage + short) * done.zeroedPages;
    if (done.transfers > 0)
      ns += costs.cpuCopy + costs.cpuCopyPage * done.copiedPages + costs.cpuCopyRun * (done.transfers - 1);
    if (done.collapsed) ns += costs.cpuDuplicateDrop;
    return this.linked(this.scale * ns, this.link.toCpu, done.copiedPages, done.copyNs);
  }

  cpuReturns(): number {
    return this.costs.cpuFaultReturn;
  }

  interrupted(entries: number): number {
    if (entries > 1) return 0;
    const { costs } = this;
    const warm = this.refusals === 0 ? 0 : 1 - Math.exp(-this.refusals / costs.warmRefusals);
    return this.scale * (costs.gpuInterrupt - (costs.gpuInterrupt - costs.gpuRefusalInterrupt) * warm);
  }

  batchFetched(): void {
    this.batches++;
  }

  blockServed(space: number, entries: number, done: UvmBlockWork): number {
    const warmth = this.warmth(space);
    const onGpu = warmth.served(done.gpu, done.taken);
    const { toGpu } = this.link;
    if (entries > 1) {
      const ns = this.scale * this.batchWarmth() * this.parallelService(done);
      return this.linked(ns, toGpu, done.copiedPages, done.copyNs);
    }
    const { costs } = this;
    if (done.refused > 0) return this.scale * costs.gpuRefusal;
    if (this.refusals > 0) return this.scale * costs.gpuResume;
    const k = warmth.gpuFaults - 1;
    let ns = costs.gpuService + (onGpu === 1 ? costs.gpuFirstService : this.warmUp(costs.gpuColdService, k));
    if (this.firstOfKernel && k > 0)
      ns += costs.gpuKernelCold * Math.exp((2 - warmth.kernels) / costs.warmKernels);
    this.firstOfKernel = false;
    if (done.newRoot) ns += costs.gpuNewChunk;
    ns += costs.gpuPrefetchPage * done.prefetched + costs.gpuZeroPage * done.zeroedPages;
    if (done.transfers > 0)
      ns += costs.gpuCopy + costs.gpuCopyPage * done.copiedPages + costs.gpuCopyRun * (done.transfers - 1);
    if (done.copiedPages > 0) ns += this.firstCopy(warmth);
    if (done.evictions > 0) ns += done.copyNs;
    const copies = done.transfers === 0 ? 0 : done.copiesEnd - this.sched.now;
    return Math.max(this.linked(this.scale * ns, toGpu, done.copiedPages, done.copyNs), copies);
  }

  refusalReturns(): number {
    return this.scale * this.costs.gpuRefusalReturn;
  }

  batchServed(entries: number, refused: number): number {
    this.refusals = refused > 0 ? this.refusals + 1 : 0;
    if (entries <= 1) return 0;
    const { costs } = this;
    const first = this.firstOfKernel ? this.firstBatch() : 0;
    this.firstOfKernel = false;
    const fault = this.bulk ? costs.bulkFault : costs.batchFault;
    return this.scale * (first + this.batchWarmth() * (costs.batch + fault * entries));
  }

  systemServed(space: number, taken: number, batch: UvmBatchServes, moved: UvmPagesMoved): number {
    const { costs } = this;
    const warmth = this.warmth(space);
    const onGpu = warmth.served(UVM_ID_GPU, taken);
    this.firstOfKernel = false;
    const first = batch.entries === 1 && onGpu === 1 ? costs.gpuFirstService : 0;
    const copied = moved.pages - moved.zeroed;
    const copies = copied === 0 ? 0 : costs.gpuCopy + costs.gpuCopyPage * copied + moved.copyNs;
    const entering = batch.entered ? costs.gpuInterrupt : 0;
    return this.scale * (costs.gpuService + entering + first + copies + costs.gpuZeroPage * moved.zeroed);
  }

  nonReplayableServed(): number {
    return this.costs.gpuService + this.costs.gpuInterrupt;
  }

  notificationServed(copyNs: number): number {
    return this.costs.gpuService + copyNs;
  }

  systemCpuFaultServed(moved: UvmPagesMoved): number {
    const { costs } = this;
    const copies = moved.pages === 0 ? 0 : costs.cpuCopy + costs.cpuCopyPage * moved.pages;
    return this.scale * (costs.cpuFault + copies + moved.copyNs);
  }

  migrated(call: UvmMigrated): number {
    const warmth = this.warmth(call.space);
    const moved = call.copied + call.zeroed;
    const first = moved > 0 && call.to === UVM_ID_GPU ? this.firstCopy(warmth) : 0;
    const ns = this.calls.migrated(warmth, call) + first;
    const page = call.to === UVM_ID_GPU ? this.link.toGpu : this.link.toCpu;
    return this.linked(this.scale * ns, page, call.copied, 0);
  }

  systemMigrated(to: UvmProcessorId, moved: UvmPagesMoved): number {
    const { costs } = this;
    const [fixed, page] =
      to === UVM_ID_GPU
        ? [costs.prefetchToGpu, costs.gpuCopyPage]
        : [costs.prefetchToCpu, costs.prefetchToCpuPage];
    return this.scale * (fixed + page * moved.pages + moved.copyNs);
  }

  advised(call: UvmAdvised): number {
    return this.scale * this.calls.advised(this.warmth(call.space), call);
  }

  discarded(space: number, pages: number): number {
    return this.scale * this.calls.discarded(this.warmth(space), pages);
  }

  kernelAccessed(space: number, pages: number): number {
    return this.calls.kernelAccessed(this.warmth(space), pages);
  }

  copied(call: UvmCopied): number {
    return this.calls.copied(this.warmth(call.space), call);
  }

  forked(space: number): number {
    return this.calls.forked(this.warmth(space));
  }

  /** `ns` on the recorded link as on this machine's, where `pages` pages were copied that took the link `copyNs`. */
  private linked(ns: number, page: number, pages: number, copyNs: number): number {
    return page === 0 ? ns : Math.max(ns + page * pages, copyNs);
  }

  private warmth(space: number): UvmWarmth {
    return (this.spaces[space] ??= new UvmWarmth());
  }

  /** `amount`, less as the faults of a process make it warm. */
  private warmUp(amount: number, faults: number): number {
    return amount * Math.exp(-faults / this.costs.warmFaults);
  }

  private meet(thrashes: boolean, moments: UvmMoments): void {
    if (!thrashes || this.metThrashing) return;
    this.metThrashing = true;
    moments.migrationTime += this.costs.thrashingAt;
  }

  /** What the process's first copy to the GPU takes on top; 0 for later ones. */
  private firstCopy(warmth: UvmWarmth): number {
    if (warmth.copiedToGpu) return 0;
    warmth.copiedToGpu = true;
    return this.costs.gpuFirstCopy;
  }

  /** What the first batch of a kernel takes on top. */
  private firstBatch(): number {
    const { costs } = this;
    if (!this.bulk) return costs.batchKernel;
    return costs.bulkKernel + (this.coldBulk ? costs.bulkFirst : 0);
  }

  /** A block's part of a batch of many entries. */
  private parallelService(done: UvmBlockWork): number {
    const { costs } = this;
    if (done.transfers > 0) {
      const copies = costs.batchTransfer * done.transfers + costs.batchPage * done.copiedPages;
      return costs.batchService + copies + (done.evictions > 0 ? done.copyNs : 0);
    }
    return done.zeroedPages > 0 ? costs.batchServiceZero : costs.batchServiceStale;
  }

  /** The driver gets faster over hundreds of batches of many entries. */
  private batchWarmth(): number {
    const { costs } = this;
    return 1 - costs.batchWarmShare * (1 - Math.exp(-this.batches / costs.batchWarmTime));
  }
}
