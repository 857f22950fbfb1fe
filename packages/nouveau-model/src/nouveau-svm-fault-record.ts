import { GPU_ACCESS_PREFETCH, GPU_ACCESS_READ, GPU_ACCESS_WRITE } from '@hmm/gpu';
import type { NouveauSvmm } from './nouveau-svmm.js';

/** Access codes of a fault record of gp100, by the hardware's numbers. */
export const FAULT_ACCESS_READ = 0;
export const FAULT_ACCESS_WRITE = 1;
export const FAULT_ACCESS_ATOMIC = 2;
export const FAULT_ACCESS_PREFETCH = 3;

/** The code that gp100 writes for an access; it does not tell kinds of atomics apart. */
export function nvkmFaultAccess(access: number): number {
  switch (access) {
    case GPU_ACCESS_PREFETCH:
      return FAULT_ACCESS_PREFETCH;
    case GPU_ACCESS_READ:
      return FAULT_ACCESS_READ;
    case GPU_ACCESS_WRITE:
      return FAULT_ACCESS_WRITE;
    default:
      return FAULT_ACCESS_ATOMIC;
  }
}

/**
 * A fault record in the driver's cache.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault (without: fields of a record that decide
 * nothing)
 */
export interface NouveauSvmFault {
  /** Instance pointer of the channel: id of its `GpuInstance`. */
  inst: number;
  /** Faulting page. */
  vpn: number;
  /** `FAULT_ACCESS_*`. */
  access: number;
  /** The unit that asked. */
  gpc: number;
  client: number;
  /** Virtual time of the fault, ns. */
  time: number;
  /** Found by the instance pointer; undefined for a channel without SVM. */
  svmm: NouveauSvmm | undefined;
}
