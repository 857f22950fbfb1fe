/**
 * What the driver's work costs on a host, ns. Fitted to recordings of one machine (an H100 in a PCIe 5 guest, driver
 * 580.159.04); the package's README says how and how well. Another GPU's preset scales all of it.
 */
export interface UvmCosts {
  /** One CPU fault, until the next access. */
  readonly cpuFault: number;
  readonly cpuFaultFirst: number;
  /** Of the k-th fault after the first: `cpuFaultWarm * exp(-k / 4)`. */
  readonly cpuFaultWarm: number;
  /** The part of a fault after its locks are dropped, up to the next access. */
  readonly cpuReturn: number;
  /** From the block's lock until the GPU's mappings go; and until a CPU that has waited for the lock runs. */
  readonly cpuLookUp: number;
  readonly cpuWakeUp: number;
  /**
   * First fault of a step that follows other work: always, the first time, and on top after a pause, in which all gets cold
   * with the time constant `cpuPauseAfter`.
   */
  readonly cpuFaultCold: number;
  readonly cpuFaultColdFirst: number;
  readonly cpuFaultPaused: number;
  readonly cpuPauseAfter: number;
  /** A 2 MiB host chunk is zeroed, unless all of it is on the GPU; a shorter block takes base and per page. */
  readonly cpuPopulateBlock: number;
  readonly cpuPopulateShort: number;
  readonly cpuPopulateShortPage: number;
  readonly cpuFirstTouchPage: number;
  readonly cpuCopy: number;
  readonly cpuCopyPage: number;
  readonly cpuCopyRun: number;
  readonly cpuCollapse: number;
  readonly cpuAccessedBy: number;
  /** The first write to a page since it was mapped, which sets its dirty bit; the first touch of any kind. */
  readonly cpuDirty: number;
  readonly cpuTouch: number;
  /** A touch besides: of a line that is far, or after other work; else a read, and a write. */
  readonly cpuTouchFar: number;
  readonly cpuReadWarm: number;
  readonly cpuWriteWarm: number;
  readonly cpuStepFirst: number;
  readonly cpuStep: number;
  /** A throttled CPU sleeps `cpuSleepFactor` of the rest of the period and this. */
  readonly cpuSleepFactor: number;
  readonly cpuSleep: number;

  /** One serial GPU fault: start of service to replay. */
  readonly gpuService: number;
  readonly gpuServiceFirst: number;
  readonly gpuServiceWarm: number;
  /** Entered by an interrupt: the GPU has worked longer than `gpuInterruptAfter` since the last replay. */
  readonly gpuInterrupt: number;
  readonly gpuInterruptAfter: number;
  /** From the fault that interrupts the driver to its first look at PUT; the next comes `gpuInterruptAfter` a replay. */
  readonly putAfterInterrupt: number;
  /** First fault of the second kernel; of later ones less, falling by e every three kernels. */
  readonly gpuKernelWarm: number;
  readonly gpuNewBlock: number;
  /** Each page that the prefetcher names, there already or not; a service that takes rights from the GPU itself. */
  readonly gpuHintPage: number;
  readonly gpuRevoke: number;
  readonly gpuZeroPage: number;
  readonly gpuCopy: number;
  readonly gpuCopyPage: number;
  readonly gpuCopyRun: number;
  /** The process's first copy to the GPU. */
  readonly gpuCopyFirst: number;
  /** A fault that is refused, and the part of it after the lock is dropped; the service that ends a throttling. */
  readonly gpuRefused: number;
  readonly gpuRefusedAfter: number;
  readonly gpuRefusedInterrupt: number;
  readonly gpuResume: number;
  /** Replay to the next access. */
  readonly gpuReplay: number;
  /** Batches of many entries: a kernel, a batch, an entry, a service, a transfer and a page of it. */
  readonly parallelKernel: number;
  readonly parallelBatch: number;
  readonly parallelEntry: number;
  /** Share of a batch's time that is saved when warm, and the number of batches by which it falls by e. */
  readonly parallelWarmShare: number;
  readonly parallelWarmBatches: number;
  readonly parallelService: number;
  readonly parallelTransfer: number;
  readonly parallelPage: number;
  /** A service that copies nothing, and one that finds everything there. */
  readonly parallelServiceEmpty: number;
  readonly parallelServiceStale: number;
  /** Eviction of a root chunk beside its copies. */
  readonly evict: number;
  /**
   * Launch to first access: of the process's first kernel, and of one right behind another. The second kernel takes
   * `launchWarm` more, falling by e with each, and what lies between two adds up to `launchIdle`, with the time constant
   * `launchIdleAfter`. End of the kernel.
   */
  readonly launch: number;
  readonly launchBusy: number;
  readonly launchWarm: number;
  readonly launchIdle: number;
  readonly launchIdleAfter: number;
  readonly kernelEnd: number;

  /** Moments inside a service: the hint, and the migration event after it. */
  readonly cpuHint: number;
  readonly cpuMigration: number;
  readonly gpuHint: number;
  readonly gpuHintRefused: number;
  readonly gpuMigration: number;
  readonly gpuMigrationRefused: number;
  readonly firstThrashing: number;
  /** So much later comes the process's first copy to the CPU, within the fault's time; a CPU that has slept. */
  readonly cpuMigrationFirst: number;
  readonly cpuMigrationSlept: number;
  /** The mapping of a service that copies nothing, after its hint. */
  readonly map: number;

  /** The process's first explicit prefetch that has something to do; to the GPU, only before its first kernel. */
  readonly callFirst: number;
  /** A prefetch that does not follow another call at once. */
  readonly prefetchCold: number;
  /**
   * Advice: each call; the process's first, without and with a prefetch before; a later one that does not follow another call
   * at once, and one that then maps or protects; the first of its kind, and such of populated blocks.
   */
  readonly advise: number;
  readonly adviseFirst: number;
  readonly adviseFirstAfterPrefetch: number;
  readonly adviseCold: number;
  readonly adviseMapCold: number;
  readonly adviseKindFirst: number;
  readonly adviseKindFirstPopulated: number;
  /** A block that is cut in two, since the advice is for a part of it. */
  readonly adviseCut: number;
  /** Each page that the CPU may not write any more; each page in CPU and in GPU memory that only has to be looked at. */
  readonly adviseReadMostlyPage: number;
  readonly adviseCpuPage: number;
  readonly adviseGpuPage: number;
  /** Each page in CPU and in GPU memory that GPU mappings are wanted of. */
  readonly adviseMapCpuPage: number;
  readonly adviseMapGpuPage: number;
  /** Discarding: each block, and each page unmapped. */
  readonly discardBlock: number;
  readonly discardUnmapPage: number;
  /**
   * An explicit prefetch and its synchronisation: where all is there, fixed, and for each page; few pages (128, 512) go
   * cheaper or dearer. The GPU's memory of a whole block is zeroed, or of shorter ones.
   */
  readonly prefetchToGpuEmpty: number;
  readonly prefetchToGpu: number;
  readonly prefetchToGpuFew: number;
  readonly prefetchToGpuPage: number;
  readonly prefetchZeroBlock: number;
  readonly prefetchZeroShort: number;
  readonly prefetchToCpuEmpty: number;
  readonly prefetchToCpuEmptyPage: number;
  readonly prefetchToCpu: number;
  readonly prefetchToCpuPage: number;
  readonly prefetchToCpuFewPage: number;
}

/** How warm the CPU's fault path is at the first fault of a loop: the loop follows its own kind, or other work. */
export type UvmCpuWarmth = 'warm' | 'cold';

const US = 1000;

/** With the recording of events switched on, as in the capture. */
export const TRACED_COSTS: UvmCosts = {
  cpuFault: 27.5 * US,
  cpuFaultFirst: 83 * US,
  cpuFaultWarm: 20 * US,
  cpuReturn: 18 * US,
  cpuLookUp: 8 * US,
  cpuWakeUp: 6 * US,
  cpuFaultCold: 18 * US,
  cpuFaultColdFirst: 54 * US,
  cpuFaultPaused: 75 * US,
  cpuPauseAfter: 3000 * US,
  cpuPopulateBlock: 297 * US,
  cpuPopulateShort: 3.5 * US,
  cpuPopulateShortPage: 0.11 * US,
  cpuFirstTouchPage: 0.54 * US,
  cpuCopy: 13.5 * US,
  cpuCopyPage: 0.54 * US,
  cpuCopyRun: 2.3 * US,
  cpuCollapse: 10.3 * US,
  cpuAccessedBy: 10 * US,
  cpuDirty: 0.36 * US,
  cpuTouch: 4,
  cpuTouchFar: 6.7,
  cpuReadWarm: 1.8,
  cpuWriteWarm: 3.5,
  cpuStepFirst: 16.6 * US,
  cpuStep: 5.9 * US,
  cpuSleepFactor: 1.5,
  cpuSleep: 14 * US,
  gpuService: 12.3 * US,
  gpuServiceFirst: 114 * US,
  gpuServiceWarm: 2.4 * US,
  gpuInterrupt: 28.5 * US,
  gpuInterruptAfter: 2 * US,
  putAfterInterrupt: 72 * US,
  gpuKernelWarm: 14 * US,
  gpuNewBlock: 5.3 * US,
  gpuHintPage: 30,
  gpuRevoke: 4.1 * US,
  gpuZeroPage: 0.23 * US,
  gpuCopy: 4.5 * US,
  gpuCopyPage: 0.08 * US,
  gpuCopyRun: 9.5 * US,
  gpuCopyFirst: 12 * US,
  gpuRefused: 7.05 * US,
  gpuRefusedAfter: 3 * US,
  gpuRefusedInterrupt: 12 * US,
  gpuResume: 30 * US,
  gpuReplay: 1.2 * US,
  parallelKernel: 270 * US,
  parallelBatch: 30 * US,
  parallelEntry: 300,
  parallelWarmShare: 0,
  parallelWarmBatches: 500,
  parallelService: 30 * US,
  parallelTransfer: 1.5 * US,
  parallelPage: 180,
  parallelServiceEmpty: 24 * US,
  parallelServiceStale: 3 * US,
  evict: 40 * US,
  launch: 38 * US,
  launchBusy: 7.6 * US,
  launchWarm: 2 * US,
  launchIdle: 100 * US,
  launchIdleAfter: 5000 * US,
  kernelEnd: 3.4 * US,
  cpuHint: 1.9 * US,
  cpuMigration: 12 * US,
  gpuHint: 3 * US,
  gpuHintRefused: 1.5 * US,
  gpuMigration: 22 * US,
  gpuMigrationRefused: 18 * US,
  firstThrashing: 18 * US,
  cpuMigrationFirst: 30 * US,
  cpuMigrationSlept: 8 * US,
  map: 9 * US,
  callFirst: 40 * US,
  prefetchCold: 35 * US,
  advise: 1.5 * US,
  adviseFirst: 40 * US,
  adviseFirstAfterPrefetch: 20 * US,
  adviseCold: 4 * US,
  adviseMapCold: 7 * US,
  adviseKindFirst: 1.5 * US,
  adviseKindFirstPopulated: 4 * US,
  adviseCut: 30 * US,
  adviseReadMostlyPage: 0.25 * US,
  adviseCpuPage: 0.06 * US,
  adviseGpuPage: 0.02 * US,
  adviseMapCpuPage: 0.19 * US,
  adviseMapGpuPage: 0.09 * US,
  discardBlock: 5 * US,
  discardUnmapPage: 0.1 * US,
  prefetchToGpuEmpty: 8 * US,
  prefetchToGpu: 45 * US,
  prefetchToGpuFew: 45 * US,
  prefetchToGpuPage: 90,
  prefetchZeroBlock: 5 * US,
  prefetchZeroShort: 85 * US,
  prefetchToCpuEmpty: 20 * US,
  prefetchToCpuEmptyPage: 20,
  prefetchToCpu: 10 * US,
  prefetchToCpuPage: 390,
  prefetchToCpuFewPage: 390,
};

/** Without the recording of events, everything warm: as in the table of sizes of the same machine. */
export const UNTRACED_COSTS: UvmCosts = {
  ...TRACED_COSTS,
  cpuFault: 14 * US,
  cpuFaultFirst: 0,
  cpuFaultWarm: 0,
  cpuFaultCold: 0,
  cpuFaultColdFirst: 0,
  cpuCopy: 6.8 * US,
  cpuCopyPage: 866,
  cpuCopyRun: 0,
  cpuTouch: 0,
  cpuDirty: 0,
  cpuStep: 0,
  cpuStepFirst: 0,
  cpuMigrationFirst: 0,
  gpuServiceFirst: 0,
  gpuCopyFirst: 0,
  gpuServiceWarm: 0,
  gpuKernelWarm: 0,
  gpuHintPage: 0,
  parallelKernel: 62 * US,
  parallelBatch: 0,
  parallelEntry: 245,
  parallelWarmShare: 0.25,
  parallelWarmBatches: 100,
  parallelService: 24.8 * US,
  parallelTransfer: 1.64 * US,
  parallelPage: 0,
  launch: 6 * US,
  launchBusy: 6 * US,
  launchWarm: 0,
  launchIdle: 0,
  kernelEnd: 4 * US,
  callFirst: 0,
  prefetchCold: 0,
  adviseFirst: 0,
  adviseFirstAfterPrefetch: 0,
  prefetchToGpuEmpty: 10 * US,
  prefetchToGpu: 36 * US,
  prefetchToGpuFew: 26 * US,
  prefetchToGpuPage: 81.6,
  prefetchToCpuEmpty: 15 * US,
  prefetchToCpu: 15 * US,
  prefetchToCpuPage: 392,
  prefetchToCpuFewPage: 470,
};
