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
  /** First fault of a step that follows other work: always, the first time, and after a pause on top. */
  readonly cpuFaultCold: number;
  readonly cpuFaultColdFirst: number;
  readonly cpuFaultPaused: number;
  /** A 2 MiB host chunk is zeroed; a shorter block takes base and per page. */
  readonly cpuPopulateBlock: number;
  readonly cpuPopulateShort: number;
  readonly cpuPopulateShortPage: number;
  readonly cpuFirstTouchPage: number;
  readonly cpuCopy: number;
  readonly cpuCopyPage: number;
  readonly cpuCopyRun: number;
  readonly cpuCollapse: number;
  readonly cpuAccessedBy: number;
  /** Touches inside what is mapped: after a fault of the same step, and in a step without faults. */
  readonly cpuTouchWrite: number;
  readonly cpuTouchRead: number;
  readonly cpuTouchResident: number;
  readonly cpuTouchResidentFirst: number;
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
  /** First fault of the second kernel, falling by e every three kernels, down to `gpuKernelWarm`. */
  readonly gpuKernelFirst: number;
  readonly gpuKernelWarm: number;
  readonly gpuNewBlock: number;
  readonly gpuZeroPage: number;
  readonly gpuCopy: number;
  readonly gpuCopyPage: number;
  readonly gpuCopyRun: number;
  /** A fault that is refused; the service that ends a throttling. */
  readonly gpuRefused: number;
  readonly gpuRefusedFirst: number;
  readonly gpuRefusedInterrupt: number;
  readonly gpuResume: number;
  /** Replay to the next access. */
  readonly gpuReplay: number;
  /** Batches of many entries: a kernel, a batch, a service, a transfer, and scale of it all without tracing. */
  readonly parallelKernel: number;
  readonly parallelBatch: number;
  readonly parallelEntry: number;
  /** Share of a batch's time that is saved when warm, and the number of batches by which it falls by e. */
  readonly parallelWarmShare: number;
  readonly parallelWarmBatches: number;
  readonly parallelService: number;
  readonly parallelTransfer: number;
  /** A service that copies nothing. */
  readonly parallelServiceEmpty: number;
  /** Eviction of a root chunk beside its copies. */
  readonly evict: number;
  /** Launch to first access, after a pause and right behind another step; end of the kernel. */
  readonly launch: number;
  readonly launchBusy: number;
  readonly launchResident: number;
  readonly kernelEnd: number;

  /** Moments inside a service: the hint, and the migration event after it. */
  readonly cpuHint: number;
  readonly cpuMigration: number;
  readonly gpuHint: number;
  readonly gpuHintRefused: number;
  readonly gpuMigration: number;
  readonly gpuMigrationRefused: number;
  readonly firstThrashing: number;
  /** A CPU that has slept migrates so much later. */
  readonly cpuMigrationSlept: number;
  /** The mapping of a service that copies nothing, after its hint. */
  readonly map: number;

  readonly adviseEmpty: number;
  /** A range that is populated, and splits. */
  readonly advisePopulated: number;
  readonly adviseReadMostlyPage: number;
  readonly adviseAccessedByBlock: number;
  /** An explicit prefetch and its synchronisation: fixed, and for each page; few pages (128, 512) go cheaper or dearer. */
  readonly prefetchToGpu: number;
  readonly prefetchToGpuFew: number;
  readonly prefetchToGpuPage: number;
  /** A prefetch that finds all there. */
  readonly prefetchToCpuEmpty: number;
  readonly prefetchToCpu: number;
  readonly prefetchToCpuPage: number;
  readonly prefetchToCpuFewPage: number;
}

/**
 * How warm the CPU's fault path is at the first fault of a loop: the loop follows its own kind, other work, or a pause of
 * milliseconds.
 */
export type UvmCpuWarmth = 'warm' | 'cold' | 'paused';

const US = 1000;

/** With the recording of events switched on, as in the capture. */
export const TRACED_COSTS: UvmCosts = {
  cpuFault: 27.4 * US,
  cpuFaultFirst: 60 * US,
  cpuFaultWarm: 14.2 * US,
  cpuFaultCold: 20 * US,
  cpuFaultColdFirst: 70 * US,
  cpuFaultPaused: 90 * US,
  cpuPopulateBlock: 322 * US,
  cpuPopulateShort: 4.6 * US,
  cpuPopulateShortPage: 0.27 * US,
  cpuFirstTouchPage: 0.35 * US,
  cpuCopy: 9.5 * US,
  cpuCopyPage: 0.7 * US,
  cpuCopyRun: 3.2 * US,
  cpuCollapse: 15 * US,
  cpuAccessedBy: 30 * US,
  cpuTouchWrite: 0.44 * US,
  cpuTouchRead: 0.05 * US,
  cpuTouchResident: 5.5,
  cpuTouchResidentFirst: 12,
  cpuStepFirst: 15 * US,
  cpuStep: 4 * US,
  cpuSleepFactor: 1.5,
  cpuSleep: 14 * US,
  gpuService: 12.8 * US,
  gpuServiceFirst: 187 * US,
  gpuServiceWarm: 1.7 * US,
  gpuInterrupt: 19.6 * US,
  gpuInterruptAfter: 2 * US,
  gpuKernelFirst: 56 * US,
  gpuKernelWarm: -12 * US,
  gpuNewBlock: 9.6 * US,
  gpuZeroPage: 0.16 * US,
  gpuCopy: 10.1 * US,
  gpuCopyPage: 0.16 * US,
  gpuCopyRun: 6.5 * US,
  gpuRefused: 7.45 * US,
  gpuRefusedFirst: 34 * US,
  gpuRefusedInterrupt: 19.5 * US,
  gpuResume: 30 * US,
  gpuReplay: 1.2 * US,
  parallelKernel: 212 * US,
  parallelBatch: 98.5 * US,
  parallelEntry: 0,
  parallelWarmShare: 0,
  parallelWarmBatches: 500,
  parallelService: 42 * US,
  parallelTransfer: 2.6 * US,
  parallelServiceEmpty: 20 * US,
  evict: 40 * US,
  launch: 30 * US,
  launchBusy: 10.8 * US,
  launchResident: 30 * US,
  kernelEnd: 4.2 * US,
  cpuHint: 1.9 * US,
  cpuMigration: 12 * US,
  gpuHint: 3 * US,
  gpuHintRefused: 1.5 * US,
  gpuMigration: 22 * US,
  gpuMigrationRefused: 14 * US,
  firstThrashing: 18 * US,
  cpuMigrationSlept: 8 * US,
  map: 9 * US,
  adviseEmpty: 42.5 * US,
  advisePopulated: 25 * US,
  adviseReadMostlyPage: 0.39 * US,
  adviseAccessedByBlock: 99 * US,
  prefetchToGpu: 145 * US,
  prefetchToGpuFew: 145 * US,
  prefetchToGpuPage: 90,
  prefetchToCpuEmpty: 50 * US,
  prefetchToCpu: 95 * US,
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
  cpuTouchRead: 0,
  cpuTouchWrite: 0,
  cpuStep: 0,
  cpuStepFirst: 0,
  gpuServiceFirst: 0,
  gpuServiceWarm: 0,
  gpuKernelFirst: 0,
  gpuKernelWarm: 0,
  parallelKernel: 62 * US,
  parallelBatch: 0,
  parallelEntry: 220,
  parallelWarmShare: 0.2,
  parallelService: 22 * US,
  parallelTransfer: 1.45 * US,
  launch: 6 * US,
  launchBusy: 6 * US,
  kernelEnd: 4 * US,
  prefetchToGpu: 36 * US,
  prefetchToGpuFew: 26 * US,
  prefetchToGpuPage: 81.6,
  prefetchToCpuEmpty: 15 * US,
  prefetchToCpu: 15 * US,
  prefetchToCpuPage: 392,
  prefetchToCpuFewPage: 470,
};
