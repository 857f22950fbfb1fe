import type { AccessStream } from '@hmm/device';
import {
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_PREFETCH,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
} from './access.js';
import type { GpuAccesses } from './gpu-kernel.js';

/** `GPU_ACCESS_*` by the numbers that programs and traces have: 1 reads, 2 writes, 3 adds atomically, 4 prefetches. */
export const GPU_ACCESS_OF_PROGRAM: readonly number[] = [
  GPU_ACCESS_READ,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_PREFETCH,
];

/** A stream as a kernel runs it. */
export function gpuAccesses(stream: AccessStream): GpuAccesses {
  return { ...stream, access: GPU_ACCESS_OF_PROGRAM[stream.access] ?? GPU_ACCESS_READ };
}
