/** One measurement of one repetition, in the benchmark's unit. */
export interface Sample {
  readonly value: number;
  /** The same shape of work as a bare loop in the same process. */
  readonly reference?: number;
}

/** What the `bench/*.ts` files of a package export as `benchmarks`. */
export interface Benchmark {
  readonly name: string;
  /** `M pages/s`, `ms`, `bytes/page` …: a unit that ends in `/s` is better when greater, any other when smaller. */
  readonly unit: string;
  /** What has to be reached. */
  readonly goal?: number;
  run(): Sample;
}

/** Medians over the repetitions of a benchmark. */
export interface BenchmarkResult {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** Least and greatest of the repetitions. */
  readonly range: readonly [number, number];
  readonly reference: number | null;
  readonly goal: number | null;
  /** Whether the median reaches the goal; null without one. */
  readonly met: boolean | null;
  readonly repetitions: number;
}

/** The middle value; of an even number of them, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** Code that ran for so long is compiled. */
const WARM_MS = 2500;

/** Runs a benchmark for `warmMs` ms, at least once, to warm it up, and then `repetitions` times. */
export function measure(benchmark: Benchmark, repetitions: number, warmMs = WARM_MS): BenchmarkResult {
  const { name, unit, goal } = benchmark;
  const begin = performance.now();
  do benchmark.run();
  while (performance.now() - begin < warmMs);
  const samples = Array.from({ length: repetitions }, () => benchmark.run());
  const values = samples.map((sample) => sample.value);
  const references = samples.flatMap(({ reference }) => (reference === undefined ? [] : [reference]));
  const value = median(values);
  return {
    name,
    unit,
    value,
    range: [Math.min(...values), Math.max(...values)],
    reference: references.length > 0 ? median(references) : null,
    goal: goal ?? null,
    met: goal === undefined ? null : reaches(value, goal, unit),
    repetitions,
  };
}

function reaches(value: number, goal: number, unit: string): boolean {
  return unit.endsWith('/s') ? value >= goal : value <= goal;
}
