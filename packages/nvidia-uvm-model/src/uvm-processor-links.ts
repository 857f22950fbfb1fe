import type { Gpu } from '@hmm/gpu';
import {
  nextProcessor,
  processorIn,
  UVM_ID_CPU,
  UVM_ID_GPU,
  type UvmOptionalId,
  type UvmProcessorId,
  type UvmProcessorMask,
} from './uvm-types.js';

/**
 * What the processors of a driver can do with each other's memory: a mask of processors for each of them. They are the same for every
 * VA space, since every process uses all GPUs.
 * @uvm uvm_forward_decl.h uvm_va_space_t (without: all but the masks of processors, what a process enables or disables for itself, integrated GPUs)
 */
export class UvmProcessorLinks {
  /** Processors: the CPU and the GPUs. */
  readonly processors: number;
  /** By memory: the processors that can map it (`accessible_from`). */
  private readonly accessibleFrom: Int32Array;
  /** By processor: the memory that it can map (`can_access`). */
  private readonly reach: Int32Array;
  /** By memory: the processors whose system-scope atomics work on it as they are (`has_native_atomics`). */
  private readonly native: Int32Array;
  /** By processor: its peers over a fast link, itself not among them (`has_fast_link`). */
  private readonly fast: Int32Array;
  /** By destination: where its copy engines reach (`can_copy_from`). */
  private readonly copySources: Int32Array;

  constructor(cards: readonly Gpu[]) {
    const count = cards.length + 1;
    this.processors = count;
    this.accessibleFrom = new Int32Array(count);
    this.reach = new Int32Array(count);
    this.native = new Int32Array(count);
    this.fast = new Int32Array(count);
    this.copySources = new Int32Array(count);
    for (let id = 0; id < count; id++) {
      this.letAccess(id, id);
      this.native[id] = 1 << id;
      this.copySources[id] = 1 << id;
    }
    for (const [index, card] of cards.entries()) {
      this.linkToHost(UVM_ID_GPU + index, card);
      for (const [other, peer] of cards.entries()) {
        if (other !== index)
          this.linkPeers(UVM_ID_GPU + index, UVM_ID_GPU + other, card.peerPath(peer)?.link.nvlink);
      }
    }
  }

  /** Whether processor `id` can map data that is on `residency`. */
  canAccess(id: UvmProcessorId, residency: UvmProcessorId): boolean {
    return processorIn(this.reach[id] ?? 0, residency);
  }

  /** Whether all of `ids` can map data that is on `residency`. */
  allCanAccess(ids: UvmProcessorMask, residency: UvmProcessorId): boolean {
    return (ids & ~(this.accessibleFrom[residency] ?? 0)) === 0;
  }

  /** Whether processor `id` can do system-scope atomics on data that is on `residency`. */
  nativeAtomics(id: UvmProcessorId, residency: UvmProcessorId): boolean {
    return processorIn(this.native[residency] ?? 0, id);
  }

  /** Whether all of `ids` reach `residency` over a fast link, and do system-scope atomics there. */
  allHaveFastAccess(ids: UvmProcessorMask, residency: UvmProcessorId): boolean {
    const fast = (this.fast[residency] ?? 0) & (this.native[residency] ?? 0);
    return (ids & ~(fast | (1 << residency))) === 0;
  }

  /** The processors whose memory all of `ids` can map. */
  commonLocations(ids: UvmProcessorMask): UvmProcessorMask {
    let common = 0;
    for (let at = 0; at < this.processors; at++) if (this.allCanAccess(ids, at)) common |= 1 << at;
    return common;
  }

  /** The processors that the copy engines of `destination` reach. */
  canCopyFrom(destination: UvmProcessorId): UvmProcessorMask {
    return this.copySources[destination] ?? 0;
  }

  /**
   * Who of `candidates` is closest to `id`: itself, then peers over fast links, then whose memory it can map, then anybody; of equals the
   * first GPU. -1 without candidates.
   * @uvm uvm_va_space.c uvm_processor_mask_find_closest_id (without: partitions of a GPU)
   */
  closest(candidates: UvmProcessorMask, id: UvmProcessorId): UvmOptionalId {
    if (processorIn(candidates, id)) return id;
    const fast = candidates & (this.fast[id] ?? 0);
    if (fast !== 0) return gpuBeforeCpu(fast);
    const reachable = candidates & (this.reach[id] ?? 0);
    return reachable === 0 ? nextProcessor(candidates, UVM_ID_CPU) : gpuBeforeCpu(reachable);
  }

  private letAccess(id: UvmProcessorId, residency: UvmProcessorId): void {
    this.accessibleFrom[residency] = (this.accessibleFrom[residency] ?? 0) | (1 << id);
    this.reach[id] = (this.reach[id] ?? 0) | (1 << residency);
  }

  /** The link of GPU `id` to the host. */
  private linkToHost(id: UvmProcessorId, { preset: { capability } }: Gpu): void {
    const [cpu, gpu] = [1 << UVM_ID_CPU, 1 << id];
    this.letAccess(id, UVM_ID_CPU);
    this.copySources[UVM_ID_CPU] = (this.copySources[UVM_ID_CPU] ?? 0) | gpu;
    this.copySources[id] = (this.copySources[id] ?? 0) | cpu;
    if (capability.cpuAccessesVidmem) this.letAccess(UVM_ID_CPU, id);
    if (!capability.linkAtomics) return;
    this.native[UVM_ID_CPU] = (this.native[UVM_ID_CPU] ?? 0) | gpu;
    this.native[id] = (this.native[id] ?? 0) | cpu;
    this.fast[UVM_ID_CPU] = (this.fast[UVM_ID_CPU] ?? 0) | gpu;
    this.fast[id] = (this.fast[id] ?? 0) | cpu;
  }

  /** A GPU's access to the memory of another: over NVLink fast and with atomics, else slow; `undefined` for none. */
  private linkPeers(id: UvmProcessorId, other: UvmProcessorId, nvlink: boolean | undefined): void {
    if (nvlink === undefined) return;
    this.letAccess(id, other);
    this.copySources[id] = (this.copySources[id] ?? 0) | (1 << other);
    if (!nvlink) return;
    this.native[other] = (this.native[other] ?? 0) | (1 << id);
    this.fast[id] = (this.fast[id] ?? 0) | (1 << other);
  }
}

/** The first GPU of `mask`; the CPU where it is alone. */
function gpuBeforeCpu(mask: UvmProcessorMask): UvmProcessorId {
  const gpu = nextProcessor(mask, UVM_ID_GPU);
  return gpu < 0 ? UVM_ID_CPU : gpu;
}
