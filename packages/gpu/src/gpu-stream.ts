import {
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_PREFETCH,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
} from './access.js';
import type { GpuAccesses, GpuKernelShape } from './gpu-kernel.js';

/**
 * What a program has a GPU do: `AccessStream` of `@hmm/machine`, by shape. Kinds are numbered as in programs: see
 * {@link GPU_ACCESS_OF_PROGRAM}.
 */
export interface GpuStream {
  readonly access: 1 | 2 | 3;
  readonly shape: GpuKernelShape;
  readonly base: number;
  readonly pages: Int32Array;
  readonly offset: number;
  readonly width: 1 | 2 | 4;
  readonly values: Uint32Array | undefined;
  readonly kinds?: Uint8Array | undefined;
  readonly lanes?: number | undefined;
  readonly refill?: (() => number) | undefined;
}

/** `GPU_ACCESS_*` by the numbers that programs and traces have: 1 reads, 2 writes, 3 adds atomically, 4 prefetches. */
export const GPU_ACCESS_OF_PROGRAM: readonly number[] = [
  GPU_ACCESS_READ,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_PREFETCH,
];

/** A stream as a kernel runs it. */
export function gpuAccesses(stream: GpuStream): GpuAccesses {
  return { ...stream, access: GPU_ACCESS_OF_PROGRAM[stream.access] ?? GPU_ACCESS_READ };
}
