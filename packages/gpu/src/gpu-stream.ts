import {
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_PREFETCH,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
} from './access.js';
import type { GpuAccesses, GpuKernelShape } from './gpu-kernel.js';

/**
 * What a program has a GPU do: `AccessStream` of `@hmm/machine`, by shape. Kinds are numbered as in programs: 1 reads,
 * 2 writes, 3 adds atomically, 4 prefetches.
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

/** `GPU_ACCESS_*` by the program's numbers. */
const GPU_ACCESS = Uint8Array.of(
  GPU_ACCESS_READ,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_PREFETCH,
);

/** A stream as a kernel runs it: kinds in the hardware's numbers, in a column of their own. */
export function gpuAccesses(stream: GpuStream): GpuAccesses {
  const access = GPU_ACCESS[stream.access] ?? GPU_ACCESS_READ;
  const { kinds, refill } = stream;
  if (kinds === undefined) return { ...stream, access };
  const own = new Uint8Array(kinds.length);
  translate(kinds, own, stream.pages.length);
  if (refill === undefined) return { ...stream, access, kinds: own };
  const next = (): number => {
    const count = refill();
    translate(kinds, own, count);
    return count;
  };
  return { ...stream, access, kinds: own, refill: next };
}

function translate(from: Uint8Array, to: Uint8Array, count: number): void {
  const table = GPU_ACCESS;
  for (let i = 0; i < count; i++) to[i] = table[from[i] ?? 0] ?? 1;
}
