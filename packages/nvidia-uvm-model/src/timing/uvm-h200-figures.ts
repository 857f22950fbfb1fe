import { TRACED_FIGURES, type UvmFigure, type UvmFigures } from './uvm-figures.js';

const H200 = 'H200 141GB HBM3e in a PCIe 5 guest, driver 580.159.04';

/** Values in the unit of the figure of that name, and the median relative error of the fitted steps that it makes a hundredth of. */
const FITTED: Readonly<Partial<Record<keyof UvmFigures, readonly [value: number, error: number]>>> = {
  cpuFault: [22_300, 0.15],
  cpuFirstFault: [90_900, 0.15],
  cpuFirstFaultAfterWork: [19_600, 0.15],
  hostChunkZero: [245_000, 0.15],
  cpuPopulatePage: [460, 0.15],
  cpuCopy: [23_600, 0.15],
  cpuCopyPage: [421, 0.15],
  cpuLoop: [54.8, 0.36],
  cpuLoopAfterWork: [122, 0.51],
  cpuTouchFar: [6.75, 0.19],
  cpuRead: [1.69, 0.29],
  cpuWrite: [3.99, 0.18],
  cpuTouchAfterWork: [2.73, 0.51],
  cpuFirstTouch: [3.26, 0.51],
  cpuDirty: [277, 0.14],
  gpuFirstService: [176_000, 0.12],
  gpuInterrupt: [27_100, 0.14],
  gpuPrefetchPage: [34.2, 0.12],
  gpuZeroPage: [149, 0.13],
  gpuCopyRun: [9000, 0.13],
  bulkKernel: [50_000, 0.19],
  bulkFirst: [100_000, 0.19],
  bulkFault: [187, 0.19],
  batchTransfer: [1650, 0.19],
  launchFirst: [26_900, 0.13],
  launch: [6010, 0.11],
  callCold: [30_000, 0.16],
  callFirst: [10_200, 0.26],
  prefetchToGpuFirst: [20_000, 0.26],
  prefetchToCpuFirst: [36_300, 0.26],
  prefetchToGpuShort: [40_600, 0.26],
  adviceFirst: [30_100, 0.16],
  adviceMapFirst: [48_400, 0.08],
  adviceAfterWork: [4860, 0.19],
  adviceCutPage: [20, 0.19],
  adviceCut: [5830, 0.19],
  adviceMapPage: [105, 0.18],
  adviceProtectPage: [297, 0.22],
  copyCall: [1350, 0.15],
  copyFirst: [1430, 0.17],
  copyHost: [8930, 0.18],
  copyHostPage: [516, 0.19],
  callEmpty: [6220, 0.28],
  callEmptyCold: [15_000, 0.26],
  discard: [2620, 0.26],
  discardAfterWork: [8000, 0.15],
  discardPage: [36.4, 0.15],
  gupCall: [5370, 0.01],
  gupPage: [474, 0.15],
  fork: [2_760_000, 0.18],
};

/** What the driver's work costs on a host with an H200 while its events are recorded: the H100's figures but for those fitted anew. */
export const H200_FIGURES: UvmFigures = {
  ...TRACED_FIGURES,
  ...Object.fromEntries(
    (Object.keys(FITTED) as (keyof UvmFigures)[]).map((name) => {
      const [value = 0, error = 0] = FITTED[name] ?? [];
      const figure: UvmFigure = {
        ...TRACED_FIGURES[name],
        value,
        error,
        machine: H200,
        recording: 'h200-parts: scenarios of odd CRC-32 >> 3',
        method: 'fitted to durations of steps',
      };
      return [name, figure];
    }),
  ),
};

/** The figures of the host of a GPU preset: those of the recorded H100 where nothing was recorded on one with it. */
export function figuresOfGpu(preset: string): UvmFigures {
  return recordedGpu(preset) === 'h200' ? H200_FIGURES : TRACED_FIGURES;
}

/** The preset of the GPU of the recordings that a preset's figures are fitted to. */
export function recordedGpu(preset: string): 'h100' | 'h200' {
  return preset === 'h200' ? 'h200' : 'h100';
}
