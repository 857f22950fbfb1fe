import type { Figure } from '@hmm/gpu';

/** A number of the timing model, with its origin. */
export interface UvmFigure extends Figure {
  /** `ns`, `ns/page`, `faults` …; empty for a factor. */
  readonly unit: string;
  /** Where it was measured. */
  readonly machine: string;
  /** By which recordings. */
  readonly recording: string;
  /** How it was made from them. */
  readonly method: string;
  /**
   * Median relative error of the durations that are predicted for recorded steps which depend on it; of the recording as a whole where it
   * only moves events.
   */
  readonly error: number;
}

/** Makes figures of one origin: value, unit, error, and what takes that. */
type Origin = (value: number, unit: string, error: number, note: string) => UvmFigure;

const H100 = 'H100 80GB HBM3 in a PCIe 5 guest, driver 580.159.04';

const H200 = 'H200 141GB HBM3e in a PCIe 5 guest, driver 580.159.04';

function origin(recording: string, method: string, machine = H100): Origin {
  return (value, unit, error, note) => ({
    value,
    from: 'measured',
    note,
    unit,
    machine,
    recording,
    method,
    error,
  });
}

const fit = origin(
  'uvm-public, uvm-public2, mixtures: deterministic scenarios of odd CRC-32 >> 3',
  'fitted to durations of steps',
);
const hand = origin('all but mixtures-2', 'set by hand to durations of steps');
const seen = origin('all', 'set by hand to durations of steps');
const order = origin('all', 'set by hand to the times between events, and to the turns that duels take');
const parallel = origin(
  'all parallel kernels and streams',
  'set by hand to durations of steps and to totals',
);
const parts = origin('h200-parts: scenarios of odd CRC-32 >> 3', 'medians of steps', H200);
const table = origin('link.jsonl', 'set by hand to durations by size');
const without = table;

/** What the driver's work costs on a host while its events are recorded, as in the captures. Of a service unless said otherwise. */
export const TRACED_FIGURES = {
  // CPU faults.
  cpuFault: fit(27_500, 'ns', 0.098, 'a CPU fault that copies and populates nothing'),
  cpuFirstFault: fit(83_000, 'ns', 0.085, 'a process’s first CPU fault on top: its code and data are cold'),
  cpuColdFault: fit(20_000, 'ns', 0.086, 'later ones on top, as far as the driver is not warm yet'),
  cpuLoopFault: hand(3000, 'ns', 0.1, 'a loop of a CPU on top, where it faults'),
  cpuFaultAfterWork: fit(
    18_000,
    'ns',
    0.12,
    'the first fault of a loop on top, where a kernel or a call came before',
  ),
  cpuFirstFaultAfterWork: fit(54_000, 'ns', 0.14, 'the same, the first time in a process'),
  cpuFaultAfterPause: hand(75_000, 'ns', 0.05, 'the same after a long pause, on top'),
  pauseTime: hand(3_000_000, 'ns', 0.05, 'pauses so long make it cold, but for a part in e'),
  cpuFaultLookUp: order(8000, 'ns', 0.1, 'of a CPU fault, until the GPU’s mappings go'),
  cpuFaultReturn: order(18_000, 'ns', 0.1, 'of a CPU fault, after its locks are dropped'),
  cpuSleepFactor: hand(1.5, '', 0.1, 'a throttled CPU sleeps so many times the rest of its period'),
  hostChunkZero: fit(297_000, 'ns', 0.076, 'a 2 MiB host chunk is zeroed: not all of it is on the GPU'),
  cpuPopulatePage: fit(540, 'ns/page', 0.077, 'a page is populated by a CPU fault'),
  cpuPopulateShortPage: fit(130, 'ns/page', 0.077, 'the same in a block of less than 2 MiB, on top'),
  cpuCopy: fit(13_500, 'ns', 0.11, 'a CPU fault that copies, on top'),
  cpuCopyPage: fit(540, 'ns/page', 0.1, 'each page copied to the CPU'),
  cpuCopyRun: fit(2300, 'ns', 0.11, 'each run of pages copied to the CPU after the first'),
  cpuDuplicateDrop: fit(10_300, 'ns', 0.32, 'a CPU fault that drops the GPU’s copy of a page'),

  // CPU accesses that hit.
  cpuLoop: hand(50, 'ns', 0.17, 'a loop that does not fault'),
  cpuLoopAfterWork: parts(0, 'ns', 0.1, 'the same on top, where a kernel or a call came before'),
  cpuNear: parts(512, 'pages', 0.1, 'so many pages a loop touches as fast as few'),
  cpuTouchFar: parts(0, 'ns/page', 0.1, 'each page beyond on top'),
  cpuRead: fit(1.8, 'ns/page', 0.21, 'a read'),
  cpuWrite: fit(3.5, 'ns/page', 0.064, 'a store'),
  cpuTouchAfterWork: hand(
    6.7,
    'ns/page',
    0.052,
    'an access in the first loop after a kernel or a call, instead',
  ),
  cpuFirstTouch: hand(4, 'ns/page', 0.029, 'the first access since the page was mapped, on top'),
  cpuDirty: fit(360, 'ns/page', 0.075, 'the first store since the page was mapped, which sets the dirty bit'),

  // GPU faults one by one.
  gpuService: fit(12_300, 'ns', 0.093, 'a service of one GPU fault that moves nothing'),
  gpuFirstService: fit(114_000, 'ns', 0.075, 'a process’s first on top: its code and data are cold'),
  gpuColdService: fit(2400, 'ns', 0.089, 'later ones on top, as far as the driver is not warm yet'),
  gpuKernelCold: seen(
    14_000,
    'ns',
    0.11,
    'a process’s second kernel on top, less with each: its first fault',
  ),
  gpuInterrupt: fit(28_500, 'ns', 0.1, 'the interrupt that enters the driver, where it does not poll'),
  gpuPoll: order(2000, 'ns', 0.1, 'so long the driver polls after a replay'),
  gpuPutRead: parallel(72_000, 'ns', 0.14, 'from the fault that interrupts the driver to its reading of PUT'),
  gpuNewChunk: fit(5300, 'ns', 0.077, 'a service that takes a root chunk'),
  gpuPrefetchPage: fit(30, 'ns/page', 0.07, 'each page that the prefetcher names'),
  gpuZeroPage: fit(230, 'ns/page', 0.058, 'each page populated with zeros'),
  gpuCopy: fit(4500, 'ns', 0.096, 'a service that copies, on top'),
  gpuCopyPage: fit(80, 'ns/page', 0.096, 'each page copied to the GPU'),
  gpuCopyRun: fit(9500, 'ns', 0.1, 'each run of pages copied to the GPU after the first'),
  gpuFirstCopy: fit(12_000, 'ns', 0.082, 'a process’s first copy to the GPU on top'),
  gpuRefusal: hand(7050, 'ns', 0.1, 'a fault that the thrashing detector refuses'),
  gpuRefusalReturn: order(3000, 'ns', 0.1, 'of that, after the block’s lock is dropped'),
  gpuRefusalInterrupt: hand(12_000, 'ns', 0.033, 'the interrupt of a fault that is refused again and again'),
  gpuResume: hand(30_000, 'ns', 0.1, 'the service that ends a throttling'),

  // Batches of many GPU faults.
  batchKernel: parallel(270_000, 'ns', 0.14, 'the first batch of a kernel on top'),
  bulkKernel: parts(0, 'ns', 0.1, 'the first batch of a copy or fill of the runtime on top, instead'),
  bulkFirst: parts(110_000, 'ns', 0.1, 'that of a process without a fault of the GPU before, on top'),
  bulkFault: parts(300, 'ns/fault', 0.1, 'each fault of such a batch, instead'),
  batch: parallel(30_000, 'ns', 0.14, 'a batch'),
  batchFault: parallel(300, 'ns/fault', 0.14, 'each fault of a batch'),
  batchService: parallel(30_000, 'ns', 0.14, 'each block that pages are copied to'),
  batchTransfer: parallel(1500, 'ns', 0.14, 'each run of pages copied'),
  batchPage: parallel(180, 'ns/page', 0.14, 'each page copied'),
  batchServiceZero: parallel(24_000, 'ns', 0.14, 'each block that pages are only zeroed of'),
  batchServiceStale: parallel(3000, 'ns', 0.14, 'each block that all is there of already'),
  batchWarmShare: table(0, '', 0.1, 'the share of that which is saved in the end'),
  batchWarmTime: table(500, 'batches', 0.1, 'after so many batches all but a part in e is'),

  // Kernels.
  launchFirst: fit(38_000, 'ns', 0.074, 'from a process’s first launch to the first access'),
  launch: fit(7600, 'ns', 0.12, 'from a launch right behind another kernel to the first access'),
  launchCold: fit(2000, 'ns', 0.088, 'a process’s second launch on top, less with each'),
  launchIdle: fit(100_000, 'ns', 0.12, 'a launch after a long time without a kernel, on top'),
  launchIdleTime: fit(5_000_000, 'ns', 0.12, 'so long a time makes it cold, but for a part in e'),
  kernelEnd: fit(3400, 'ns', 0.11, 'from a kernel’s last access to the end of the call'),

  // Moments of a service.
  hintAt: order(2000, 'ns', 0.1, 'from the begin of a service to its hint'),
  cpuMigrationAt: order(12_000, 'ns', 0.1, 'from the hint of a CPU fault to its migration'),
  gpuMigrationAt: order(22_000, 'ns', 0.11, 'from the hint of a service of GPU faults to its migration'),
  cpuSleptAt: order(8000, 'ns', 0.1, 'the migration is so much later where the CPU has slept'),
  gpuResumeMigrationAt: order(18_000, 'ns', 0.1, 'the migration, where the batch before was refused'),
  gpuTableLead: order(250, 'ns', 0.1, 'from the writing of the first remote mapping of a service to its end'),
  gpuTableWrite: order(650, 'ns', 0.1, 'from one run of remote mappings of a service to the next'),
  thrashingAt: order(18_000, 'ns', 0.1, 'the migration is so much later at the first page that thrashes'),

  // Calls.
  callCold: hand(
    40_000,
    'ns',
    0.13,
    'a prefetch that does not follow another call at once: it finds its way cold',
  ),
  callFirst: hand(
    40_000,
    'ns',
    0.13,
    'a process’s first prefetch that moves something on top; none to the GPU after a kernel',
  ),
  prefetchToGpuFirst: parts(
    0,
    'ns',
    0.1,
    'one that moves pages, where the process did nothing with the GPU before, on top',
  ),
  prefetchToCpuFirst: parts(0, 'ns', 0.1, 'a process’s first prefetch to the CPU on top'),
  prefetchToGpu: fit(45_000, 'ns', 0.16, 'a prefetch to the GPU'),
  prefetchToGpuShort: fit(45_000, 'ns', 0.1, 'a prefetch to the GPU that is one short push'),
  prefetchShort: table(128, 'pages', 0.1, 'up to so many pages it is'),
  prefetchToGpuPage: fit(90, 'ns/page', 0.16, 'each page of a longer one'),
  prefetchToCpu: fit(10_000, 'ns', 0.065, 'a prefetch to the CPU'),
  prefetchToCpuPage: fit(390, 'ns/page', 0.1, 'each page of it'),
  prefetchToCpuOnePage: fit(390, 'ns/page', 0.049, 'each page where all are of one block: nothing overlaps'),
  advice: hand(1500, 'ns', 0.16, 'a call of cudaMemAdvise'),
  adviceFirst: hand(40_000, 'ns', 0.16, 'a process’s first, before any prefetch, on top'),
  adviceMapFirst: parts(
    0,
    'ns',
    0.1,
    'one by which the GPU maps pages, where the process did nothing with it before, on top',
  ),
  adviceAfterWork: parts(0, 'ns', 0.1, 'one that changes blocks and does not follow another call on top'),
  adviceCutPage: parts(0, 'ns/page', 0.1, 'each page of a block that is cut'),
  adviceCut: hand(30_000, 'ns', 0.15, 'each block that is cut in two'),
  advicePage: hand(60, 'ns/page', 0.1, 'each page looked at in CPU memory'),
  adviceMapPage: hand(150, 'ns/page', 0.16, 'each page that the GPU is to map'),
  adviceProtectPage: hand(250, 'ns/page', 0.18, 'each page that the CPU may not write any more'),
  copyCall: parts(5000, 'ns', 0.1, 'a copy or a fill of the runtime, beside its kernel'),
  copyFirst: parts(
    0,
    'ns',
    0.1,
    'a process’s first of its kind on top: copies, copies from or to pageable memory, fills',
  ),
  copyHost: parts(12_000, 'ns', 0.1, 'a copy from or to pageable host memory, on top'),
  copyHostPage: table(306, 'ns/page', 0.1, 'each page of one'),
  callEmpty: parts(4500, 'ns', 0.3, 'a prefetch that finds everything there'),
  callEmptyCold: hand(40_000, 'ns', 0.13, 'the same where it does not follow another call at once, on top'),
  discardFirst: parts(260_000, 'ns', 0.2, 'a process’s first discard on top'),
  discard: parts(12_000, 'ns', 0.4, 'a discard'),
  discardAfterWork: parts(0, 'ns', 0.4, 'one that does not follow another call on top'),
  discardPage: parts(0, 'ns/page', 0.4, 'each page discarded'),
  gupCall: parts(4000, 'ns', 0.3, 'an access of the kernel to pages of the process'),
  gupPage: parts(300, 'ns/page', 0.3, 'each page of it'),
  fork: parts(3_000_000, 'ns', 0.1, 'a fork, with the end of its child'),

  // Getting warm.
  warmFaults: fit(4, 'faults', 0.088, 'so many faults take away all of coldness but a part in e'),
  warmRefusals: hand(5, 'batches', 0.15, 'so many refused batches do'),
  warmKernels: seen(3, 'kernels', 0.11, 'so many kernels do'),
} as const;

/** What the driver's work costs: a figure each. */
export type UvmFigures = Readonly<Record<keyof typeof TRACED_FIGURES, UvmFigure>>;

/** The same without the recording of events, everything warm: as in the table of sizes of the same machine. */
export const UNTRACED_FIGURES: UvmFigures = {
  ...TRACED_FIGURES,
  cpuFault: without(14_000, 'ns', 0.1, 'a CPU fault that copies and populates nothing'),
  cpuFirstFault: without(0, 'ns', 0.1, 'a process’s first CPU fault on top: its code and data are cold'),
  cpuColdFault: without(0, 'ns', 0.1, 'later ones on top, as far as the driver is not warm yet'),
  cpuLoopFault: without(0, 'ns', 0.1, 'a loop of a CPU on top, where it faults'),
  cpuFirstFaultAfterWork: without(0, 'ns', 0.1, 'the same, the first time in a process'),
  cpuCopy: without(6800, 'ns', 0.1, 'a CPU fault that copies, on top'),
  cpuCopyPage: without(866, 'ns/page', 0.1, 'each page copied to the CPU'),
  cpuCopyRun: without(0, 'ns', 0.1, 'each run of pages copied to the CPU after the first'),
  cpuFirstTouch: without(0, 'ns/page', 0.1, 'the first access since the page was mapped, on top'),
  cpuDirty: without(0, 'ns/page', 0.1, 'the first store since the page was mapped, which sets the dirty bit'),
  gpuFirstCopy: without(0, 'ns', 0.1, 'a process’s first copy to the GPU on top'),
  batchKernel: without(62_000, 'ns', 0.1, 'the first batch of a kernel on top'),
  batch: without(0, 'ns', 0.1, 'a batch'),
  batchFault: without(245, 'ns/fault', 0.1, 'each fault of a batch'),
  batchService: without(24_800, 'ns', 0.1, 'each block that pages are copied to'),
  batchTransfer: without(1640, 'ns', 0.1, 'each run of pages copied'),
  batchPage: without(0, 'ns/page', 0.1, 'each page copied'),
  batchWarmShare: without(0.25, '', 0.1, 'the share of that which is saved in the end'),
  batchWarmTime: without(100, 'batches', 0.1, 'after so many batches all but a part in e is'),
  launchFirst: without(6000, 'ns', 0.1, 'from a process’s first launch to the first access'),
  kernelEnd: without(4000, 'ns', 0.1, 'from a kernel’s last access to the end of the call'),
  callCold: without(
    0,
    'ns',
    0.1,
    'a prefetch that does not follow another call at once: it finds its way cold',
  ),
  callFirst: without(
    0,
    'ns',
    0.1,
    'a process’s first prefetch that moves something on top; none to the GPU after a kernel',
  ),
  callEmptyCold: without(0, 'ns', 0.1, 'the same where it does not follow another call at once, on top'),
  adviceFirst: without(0, 'ns', 0.1, 'a process’s first, before any prefetch, on top'),
  prefetchToGpu: without(36_000, 'ns', 0.1, 'a prefetch to the GPU'),
  prefetchToGpuShort: without(26_000, 'ns', 0.1, 'a prefetch to the GPU that is one short push'),
  prefetchToGpuPage: without(81.6, 'ns/page', 0.1, 'each page of a longer one'),
  prefetchToCpu: without(15_000, 'ns', 0.1, 'a prefetch to the CPU'),
  prefetchToCpuPage: without(392, 'ns/page', 0.1, 'each page of it'),
  prefetchToCpuOnePage: without(
    470,
    'ns/page',
    0.1,
    'each page where all are of one block: nothing overlaps',
  ),
};

/** The values of figures, without their origin. */
export type UvmCosts = Readonly<Record<keyof UvmFigures, number>>;

/** The values of `figures`. */
export function valuesOf(figures: UvmFigures): UvmCosts {
  const values: Partial<Record<keyof UvmFigures, number>> = {};
  for (const name of Object.keys(TRACED_FIGURES) as (keyof UvmFigures)[]) values[name] = figures[name].value;
  return values as UvmCosts;
}
