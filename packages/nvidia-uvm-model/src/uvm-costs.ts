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
  /** First fault of a step that comes after a pause. */
  readonly cpuFaultCold: number;
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
  readonly cpuStepFirst: number;
  readonly cpuStep: number;
  readonly cpuStepResident: number;
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
  readonly gpuKernelFirst: number;
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
  readonly parallelService: number;
  readonly parallelTransfer: number;
  readonly parallelZeroPage: number;
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
  /** The mapping of a service that copies nothing, after its hint. */
  readonly map: number;

  readonly adviseEmpty: number;
  readonly adviseReadMostlyPage: number;
  readonly adviseAccessedByBlock: number;
  readonly prefetchToGpu: number;
  readonly prefetchToGpuBlock: number;
  readonly prefetchToCpu: number;
  readonly prefetchToCpuPage: number;
}

const US = 1000;

/** With the recording of events switched on, as in the capture. */
export const TRACED_COSTS: UvmCosts = {
  cpuFault: 27.4 * US,
  cpuFaultFirst: 60 * US,
  cpuFaultWarm: 14.2 * US,
  cpuFaultCold: 56 * US,
  cpuPopulateBlock: 322 * US,
  cpuPopulateShort: 4.6 * US,
  cpuPopulateShortPage: 0.27 * US,
  cpuFirstTouchPage: 0.35 * US,
  cpuCopy: 9.5 * US,
  cpuCopyPage: 0.33 * US,
  cpuCopyRun: 3.2 * US,
  cpuCollapse: 15 * US,
  cpuAccessedBy: 30 * US,
  cpuTouchWrite: 0.44 * US,
  cpuTouchRead: 0.05 * US,
  cpuTouchResident: 5.5,
  cpuStepFirst: 15 * US,
  cpuStep: 4 * US,
  cpuStepResident: 0.6 * US,
  cpuSleepFactor: 1.5,
  cpuSleep: 14 * US,
  gpuService: 12.8 * US,
  gpuServiceFirst: 187 * US,
  gpuServiceWarm: 1.7 * US,
  gpuInterrupt: 19.6 * US,
  gpuInterruptAfter: 2 * US,
  gpuKernelFirst: 38 * US,
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
  parallelService: 42 * US,
  parallelTransfer: 2.6 * US,
  parallelZeroPage: 0.16 * US,
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
  gpuMigrationRefused: 15 * US,
  firstThrashing: 18 * US,
  map: 9 * US,
  adviseEmpty: 35 * US,
  adviseReadMostlyPage: 0.39 * US,
  adviseAccessedByBlock: 30 * US,
  prefetchToGpu: 145 * US,
  prefetchToGpuBlock: 46.2 * US,
  prefetchToCpu: 15 * US,
  prefetchToCpuPage: 0.39 * US,
};
