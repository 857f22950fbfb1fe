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
   * By how much, relative to the value, the values differ that single recorded steps call for: their median. undefined where no step
   * depends on it enough to tell.
   */
  readonly error: number | undefined;
}

/** Makes figures of one origin: value, unit, error, and what takes that. */
type Origin = (value: number, unit: string, error: number | undefined, note: string) => UvmFigure;

const H100 = 'H100 80GB HBM3 in a PCIe 5 guest, driver 580.159.04';

function origin(recording: string, method: string): Origin {
  return (value, unit, error, note) => ({
    value,
    from: 'measured',
    note,
    unit,
    machine: H100,
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
const table = origin('link.jsonl', 'set by hand to durations by size');
const without = table;

/** What the driver's work costs on a host while its events are recorded, as in the captures. Of a service unless said otherwise. */
export const TRACED_FIGURES = {
  // CPU faults.
  cpuFault: fit(27_500, 'ns', undefined, 'a CPU fault that copies and populates nothing'),
  cpuFirstFault: fit(
    83_000,
    'ns',
    undefined,
    'a process’s first CPU fault on top: its code and data are cold',
  ),
  cpuColdFault: fit(20_000, 'ns', undefined, 'later ones on top, as far as the driver is not warm yet'),
  cpuLoopFault: hand(3000, 'ns', undefined, 'a loop of a CPU on top, where it faults'),
  cpuFaultAfterWork: fit(
    18_000,
    'ns',
    undefined,
    'the first fault of a loop on top, where a kernel or a call came before',
  ),
  cpuFirstFaultAfterWork: fit(54_000, 'ns', undefined, 'the same, the first time in a process'),
  cpuFaultAfterPause: hand(75_000, 'ns', undefined, 'the same after a long pause, on top'),
  pauseTime: hand(3_000_000, 'ns', undefined, 'pauses so long make it cold, but for a part in e'),
  pauseMin: hand(100_000, 'ns', undefined, 'shorter pauses are none'),
  cpuFaultLookUp: order(8000, 'ns', undefined, 'of a CPU fault, until the GPU’s mappings go'),
  cpuFaultReturn: order(18_000, 'ns', undefined, 'of a CPU fault, after its locks are dropped'),
  cpuSleepFactor: hand(1.5, '', undefined, 'a throttled CPU sleeps so many times the rest of its period'),
  hostChunkZero: fit(297_000, 'ns', undefined, 'a 2 MiB host chunk is zeroed: not all of it is on the GPU'),
  cpuPopulatePage: fit(540, 'ns/page', undefined, 'a page is populated by a CPU fault'),
  cpuCopy: fit(13_500, 'ns', undefined, 'a CPU fault that copies, on top'),
  cpuCopyPage: fit(540, 'ns/page', undefined, 'each page copied to the CPU'),
  cpuCopyRun: fit(2300, 'ns', undefined, 'each run of pages copied to the CPU after the first'),
  cpuDuplicateDrop: fit(10_300, 'ns', undefined, 'a CPU fault that drops the GPU’s copy of a page'),

  // CPU accesses that hit.
  cpuLoop: hand(50, 'ns', undefined, 'a loop that does not fault'),
  cpuRead: fit(1.8, 'ns/page', undefined, 'a read'),
  cpuWrite: fit(3.5, 'ns/page', undefined, 'a store'),
  cpuTouchAfterWork: hand(
    6.7,
    'ns/page',
    undefined,
    'an access in the first loop after a kernel or a call, instead',
  ),
  cpuFirstTouch: hand(4, 'ns/page', undefined, 'the first access since the page was mapped, on top'),
  cpuDirty: fit(
    360,
    'ns/page',
    undefined,
    'the first store since the page was mapped, which sets the dirty bit',
  ),

  // GPU faults one by one.
  gpuService: fit(12_300, 'ns', undefined, 'a service of one GPU fault that moves nothing'),
  gpuFirstService: fit(114_000, 'ns', undefined, 'a process’s first on top: its code and data are cold'),
  gpuColdService: fit(2400, 'ns', undefined, 'later ones on top, as far as the driver is not warm yet'),
  gpuKernelCold: seen(
    14_000,
    'ns',
    undefined,
    'a process’s second kernel on top, less with each: its first fault',
  ),
  gpuInterrupt: fit(28_500, 'ns', undefined, 'the interrupt that enters the driver, where it does not poll'),
  gpuPoll: order(2000, 'ns', undefined, 'so long the driver polls after a replay'),
  gpuPutRead: parallel(
    72_000,
    'ns',
    undefined,
    'from the fault that interrupts the driver to its reading of PUT',
  ),
  gpuNewChunk: fit(5300, 'ns', undefined, 'a service that takes a root chunk'),
  gpuPrefetchPage: fit(30, 'ns/page', undefined, 'each page that the prefetcher names'),
  gpuZeroPage: fit(230, 'ns/page', undefined, 'each page populated with zeros'),
  gpuCopy: fit(4500, 'ns', undefined, 'a service that copies, on top'),
  gpuCopyPage: fit(80, 'ns/page', undefined, 'each page copied to the GPU'),
  gpuCopyRun: fit(9500, 'ns', undefined, 'each run of pages copied to the GPU after the first'),
  gpuFirstCopy: fit(12_000, 'ns', undefined, 'a process’s first copy to the GPU on top'),
  gpuRefusal: hand(7050, 'ns', undefined, 'a fault that the thrashing detector refuses'),
  gpuRefusalReturn: order(3000, 'ns', undefined, 'of that, after the block’s lock is dropped'),
  gpuRefusalInterrupt: hand(
    12_000,
    'ns',
    undefined,
    'the interrupt of a fault that is refused again and again',
  ),
  gpuResume: hand(30_000, 'ns', undefined, 'the service that ends a throttling'),

  // Batches of many GPU faults.
  batchKernel: parallel(270_000, 'ns', undefined, 'the first batch of a kernel on top'),
  batch: parallel(30_000, 'ns', undefined, 'a batch'),
  batchFault: parallel(300, 'ns/fault', undefined, 'each fault of a batch'),
  batchService: parallel(30_000, 'ns', undefined, 'each block that pages are copied to'),
  batchTransfer: parallel(1500, 'ns', undefined, 'each run of pages copied'),
  batchPage: parallel(180, 'ns/page', undefined, 'each page copied'),
  batchServiceZero: parallel(24_000, 'ns', undefined, 'each block that pages are only zeroed of'),
  batchServiceStale: parallel(3000, 'ns', undefined, 'each block that all is there of already'),
  batchWarmShare: table(0, '', undefined, 'the share of that which is saved in the end'),
  batchWarmTime: table(500, 'batches', undefined, 'after so many batches all but a part in e is'),

  // Kernels.
  launchFirst: fit(38_000, 'ns', undefined, 'from a process’s first launch to the first access'),
  launch: fit(7600, 'ns', undefined, 'from a launch right behind another kernel to the first access'),
  launchCold: fit(2000, 'ns', undefined, 'a process’s second launch on top, less with each'),
  launchIdle: fit(100_000, 'ns', undefined, 'a launch after a long time without a kernel, on top'),
  launchIdleTime: fit(5_000_000, 'ns', undefined, 'so long a time makes it cold, but for a part in e'),
  kernelEnd: fit(3400, 'ns', undefined, 'from a kernel’s last access to the end of the call'),

  // Moments of a service.
  cpuHintAt: order(1900, 'ns', undefined, 'from the begin of a CPU fault to its hint'),
  cpuMigrationAt: order(12_000, 'ns', undefined, 'from there to its migration'),
  cpuSleptAt: order(8000, 'ns', undefined, 'the migration is so much later where the CPU has slept'),
  gpuHintAt: order(3000, 'ns', undefined, 'from the begin of a service of GPU faults to its hint'),
  gpuMigrationAt: order(22_000, 'ns', undefined, 'from there to its migration'),
  gpuResumeHintAt: order(1500, 'ns', undefined, 'the hint, where the batch before was refused'),
  gpuResumeMigrationAt: order(18_000, 'ns', undefined, 'the migration, where the batch before was refused'),
  thrashingAt: order(
    18_000,
    'ns',
    undefined,
    'the migration is so much later at the first page that thrashes',
  ),

  // Calls.
  callFirst: fit(
    40_000,
    'ns',
    undefined,
    'a process’s first prefetch with something to do, or to the GPU before a kernel',
  ),
  callAlone: hand(35_000, 'ns', undefined, 'a prefetch that does not follow another call at once'),
  prefetchToGpuEmpty: fit(8000, 'ns', undefined, 'a prefetch to the GPU of what is there'),
  prefetchToGpu: fit(45_000, 'ns', undefined, 'a prefetch to the GPU'),
  prefetchToGpuShort: fit(45_000, 'ns', undefined, 'a prefetch to the GPU that is one short push'),
  prefetchShort: table(128, 'pages', undefined, 'up to so many pages it is'),
  prefetchToGpuPage: fit(90, 'ns/page', undefined, 'each page of a longer one'),
  prefetchToCpuEmpty: fit(20_000, 'ns', undefined, 'a prefetch to the CPU of what is there'),
  prefetchToCpu: fit(10_000, 'ns', undefined, 'a prefetch to the CPU'),
  prefetchToCpuPage: fit(390, 'ns/page', undefined, 'each page of it'),
  prefetchToCpuOnePage: fit(
    390,
    'ns/page',
    undefined,
    'each page where all are of one block: nothing overlaps',
  ),
  advice: hand(1500, 'ns', undefined, 'a call of cudaMemAdvise'),
  adviceFirst: hand(40_000, 'ns', undefined, 'a process’s first, unless a prefetch came before'),
  adviceCut: hand(30_000, 'ns', undefined, 'each block that is cut in two'),
  adviceProtectPage: hand(250, 'ns/page', undefined, 'each page that the CPU may not write any more'),
  adviceCpuPage: hand(60, 'ns/page', undefined, 'each page looked at in CPU memory'),
  adviceGpuPage: hand(20, 'ns/page', undefined, 'each page looked at in GPU memory'),
  adviceMapCpuPage: hand(190, 'ns/page', undefined, 'each page in CPU memory that the GPU is to map'),
  adviceMapGpuPage: hand(90, 'ns/page', undefined, 'each page in GPU memory that the GPU is to map'),

  // Getting warm.
  warmFaults: fit(4, 'faults', undefined, 'so many faults take away all of coldness but a part in e'),
  warmKernels: seen(3, 'kernels', undefined, 'so many kernels do'),
  warmRefusals: hand(5, 'batches', undefined, 'so many refused batches do'),
} as const;

/** What the driver's work costs: a figure each. */
export type UvmFigures = Readonly<Record<keyof typeof TRACED_FIGURES, UvmFigure>>;

/** The same without the recording of events, everything warm: as in the table of sizes of the same machine. */
export const UNTRACED_FIGURES: UvmFigures = {
  ...TRACED_FIGURES,
  cpuFault: without(14_000, 'ns', undefined, 'a CPU fault that copies and populates nothing'),
  cpuFirstFault: without(
    0,
    'ns',
    undefined,
    'a process’s first CPU fault on top: its code and data are cold',
  ),
  cpuColdFault: without(0, 'ns', undefined, 'later ones on top, as far as the driver is not warm yet'),
  cpuLoopFault: without(0, 'ns', undefined, 'a loop of a CPU on top, where it faults'),
  cpuFaultAfterWork: without(
    0,
    'ns',
    undefined,
    'the first fault of a loop on top, where a kernel or a call came before',
  ),
  cpuFirstFaultAfterWork: without(0, 'ns', undefined, 'the same, the first time in a process'),
  cpuCopy: without(6800, 'ns', undefined, 'a CPU fault that copies, on top'),
  cpuCopyPage: without(866, 'ns/page', undefined, 'each page copied to the CPU'),
  cpuCopyRun: without(0, 'ns', undefined, 'each run of pages copied to the CPU after the first'),
  cpuLoop: without(0, 'ns', undefined, 'a loop that does not fault'),
  cpuTouchAfterWork: without(
    0,
    'ns/page',
    undefined,
    'an access in the first loop after a kernel or a call, instead',
  ),
  cpuFirstTouch: without(0, 'ns/page', undefined, 'the first access since the page was mapped, on top'),
  cpuDirty: without(
    0,
    'ns/page',
    undefined,
    'the first store since the page was mapped, which sets the dirty bit',
  ),
  gpuFirstService: without(0, 'ns', undefined, 'a process’s first on top: its code and data are cold'),
  gpuColdService: without(0, 'ns', undefined, 'later ones on top, as far as the driver is not warm yet'),
  gpuKernelCold: without(
    0,
    'ns',
    undefined,
    'a process’s second kernel on top, less with each: its first fault',
  ),
  gpuPrefetchPage: without(0, 'ns/page', undefined, 'each page that the prefetcher names'),
  gpuFirstCopy: without(0, 'ns', undefined, 'a process’s first copy to the GPU on top'),
  batchKernel: without(62_000, 'ns', undefined, 'the first batch of a kernel on top'),
  batch: without(0, 'ns', undefined, 'a batch'),
  batchFault: without(245, 'ns/fault', undefined, 'each fault of a batch'),
  batchService: without(24_800, 'ns', undefined, 'each block that pages are copied to'),
  batchTransfer: without(1640, 'ns', undefined, 'each run of pages copied'),
  batchPage: without(0, 'ns/page', undefined, 'each page copied'),
  batchWarmShare: without(0.25, '', undefined, 'the share of that which is saved in the end'),
  batchWarmTime: without(100, 'batches', undefined, 'after so many batches all but a part in e is'),
  launchFirst: without(6000, 'ns', undefined, 'from a process’s first launch to the first access'),
  launch: without(6000, 'ns', undefined, 'from a launch right behind another kernel to the first access'),
  launchCold: without(0, 'ns', undefined, 'a process’s second launch on top, less with each'),
  launchIdle: without(0, 'ns', undefined, 'a launch after a long time without a kernel, on top'),
  kernelEnd: without(4000, 'ns', undefined, 'from a kernel’s last access to the end of the call'),
  callFirst: without(
    0,
    'ns',
    undefined,
    'a process’s first prefetch with something to do, or to the GPU before a kernel',
  ),
  callAlone: without(0, 'ns', undefined, 'a prefetch that does not follow another call at once'),
  prefetchToGpuEmpty: without(10_000, 'ns', undefined, 'a prefetch to the GPU of what is there'),
  prefetchToGpu: without(36_000, 'ns', undefined, 'a prefetch to the GPU'),
  prefetchToGpuShort: without(26_000, 'ns', undefined, 'a prefetch to the GPU that is one short push'),
  prefetchToGpuPage: without(81.6, 'ns/page', undefined, 'each page of a longer one'),
  prefetchToCpuEmpty: without(15_000, 'ns', undefined, 'a prefetch to the CPU of what is there'),
  prefetchToCpu: without(15_000, 'ns', undefined, 'a prefetch to the CPU'),
  prefetchToCpuPage: without(392, 'ns/page', undefined, 'each page of it'),
  prefetchToCpuOnePage: without(
    470,
    'ns/page',
    undefined,
    'each page where all are of one block: nothing overlaps',
  ),
  adviceFirst: without(0, 'ns', undefined, 'a process’s first, unless a prefetch came before'),
};

/** The values of figures, without their origin. */
export type UvmCosts = Readonly<Record<keyof UvmFigures, number>>;

/** The values of `figures`. */
export function valuesOf(figures: UvmFigures): UvmCosts {
  const values: Partial<Record<keyof UvmFigures, number>> = {};
  for (const name of Object.keys(TRACED_FIGURES) as (keyof UvmFigures)[]) values[name] = figures[name].value;
  return values as UvmCosts;
}
