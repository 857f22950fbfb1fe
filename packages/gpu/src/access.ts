/**
 * Kinds of accesses and faults as the MMU of a GPU tells them apart. The order of the access kinds is that of
 * intrusiveness: a later one needs every right that an earlier one needs.
 *
 * @packageDocumentation
 */

/** A hardware prefetch instruction: may be dropped without harm. */
export const GPU_ACCESS_PREFETCH = 0;
/** A load. */
export const GPU_ACCESS_READ = 1;
/** A store. */
export const GPU_ACCESS_WRITE = 2;
/** An atomic that only has to be atomic on this GPU: needs the right to write. */
export const GPU_ACCESS_ATOMIC_WEAK = 3;
/** A system-scope atomic: needs the PTE's atomic bit. */
export const GPU_ACCESS_ATOMIC_STRONG = 4;

/** One of `GPU_ACCESS_*`. */
export type GpuAccess = 0 | 1 | 2 | 3 | 4;

/** A PTE that may be used. Absent means: no mapping. */
export const GPU_PTE_VALID = 1;
/** Stores are allowed. */
export const GPU_PTE_WRITE = 2;
/** System-scope atomics are allowed. */
export const GPU_PTE_ATOMIC = 4;
/** The frame is in system memory, across the link; without it, in the GPU's own memory. */
export const GPU_PTE_SYSMEM = 8;
/** The leaf is one of sixteen that make up a 64 KiB page. */
export const GPU_PTE_BIG = 16;
/** Frames of another owner than the driver's managed memory: see `Gpu.memories`. */
export const GPU_PTE_FOREIGN = 32;
/** The frame is in another GPU's memory: {@link gpuPtePeer} says whose. */
export const GPU_PTE_PEER = 64;
/** PTE bits of frames that are not in the GPU's own memory. */
export const GPU_PTE_FAR = GPU_PTE_SYSMEM | GPU_PTE_PEER;

const PEER_SHIFT = 8;
const PEER_MASK = 31;

/** The PTE bits that name a frame in the memory of GPU number `gpu` of the machine, 0 … 31. */
export function gpuPtePeer(gpu: number): number {
  return GPU_PTE_PEER | (gpu << PEER_SHIFT);
}

/** The number of the GPU that a leaf with {@link GPU_PTE_PEER} points into. */
export function peerOfPte(flags: number): number {
  return (flags >>> PEER_SHIFT) & PEER_MASK;
}

/** PTE bits that an access needs, by access kind. */
export const GPU_ACCESS_NEEDS: readonly number[] = [
  GPU_PTE_VALID,
  GPU_PTE_VALID,
  GPU_PTE_VALID | GPU_PTE_WRITE,
  GPU_PTE_VALID | GPU_PTE_WRITE,
  GPU_PTE_VALID | GPU_PTE_WRITE | GPU_PTE_ATOMIC,
];

/** No page directory on the way. */
export const GPU_FAULT_INVALID_PDE = 1;
/** No valid PTE. */
export const GPU_FAULT_INVALID_PTE = 2;
/** A store through a read-only PTE. */
export const GPU_FAULT_WRITE = 3;
/** A system-scope atomic through a PTE without the atomic bit. */
export const GPU_FAULT_ATOMIC = 4;
/** The first fault type that no driver can serve; those above are fatal too. */
export const GPU_FAULT_PDE_SIZE = 5;
export const GPU_FAULT_VA_LIMIT_VIOLATION = 6;
export const GPU_FAULT_UNBOUND_INST_BLOCK = 7;
export const GPU_FAULT_PRIV_VIOLATION = 8;
export const GPU_FAULT_POISONED = 15;

/** Whether a fault type can be served at all. */
export function gpuFaultServiceable(type: number): boolean {
  return type < GPU_FAULT_PDE_SIZE;
}

/** Cancel every access kind that waits for the page. */
export const GPU_CANCEL_ALL = 0;
/** Cancel stores and atomics only; loads go on waiting. */
export const GPU_CANCEL_WRITE_AND_ATOMIC = 1;
