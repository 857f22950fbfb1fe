import type { GpuFaultEntry } from '@hmm/gpu';
import { HPAGE_PMD_ORDER, PAGE_SHIFT, type Task } from '@hmm/kernel';
import type { NouveauCost } from './nouveau-cost.js';
import type { NvkmChip } from './nvkm-device.js';

/** The entry maps something. */
export const NVIF_VMM_PFNMAP_V0_V = 1;
/** Stores are allowed. */
export const NVIF_VMM_PFNMAP_V0_W = 2;
/** Atomics are allowed. */
export const NVIF_VMM_PFNMAP_V0_A = 4;
/** In the GPU's memory; without it, in the host's. */
export const NVIF_VMM_PFNMAP_V0_VRAM = 8;

/** log2 of the bytes of a huge page. @kernel include/linux/huge_mm.h HPAGE_PMD_SHIFT */
export const HPAGE_PMD_SHIFT = PAGE_SHIFT + HPAGE_PMD_ORDER;

/** Lanes of an entry for {@link NvifVmm.pfnmap}: `NVIF_VMM_PFNMAP_V0_*`, frame. */
export const PFN_LANES = 2;

/** Pages [start, limit): what stays for classic buffer objects. */
export interface Unmanaged {
  readonly start: number;
  readonly limit: number;
}

/** A GPU address space that the driver's upper half manages: PTEs by page frame. @kernel include/nvif/vmm.h nvif_vmm */
export interface NvifVmm {
  /**
   * Maps `count` entries of 2^`shift` bytes from page `vpn` on as `phys` says, {@link PFN_LANES} an entry: one without V
   * removes what was there. An entry that cannot be written loses its V there.
   * @returns 0, `-EINVAL` (no such page size, or not aligned to it), `-ENOENT` (starts in the unmanaged interval).
   * @kernel nvkm/subdev/mmu/uvmm.c nvkm_uvmm_mthd_pfnmap (without: the unpacking of arguments)
   */
  pfnmap(vpn: number, shift: number, phys: Int32Array, count: number): number;
  /**
   * Removes what is mapped in [start, end).
   * @returns pages that were mapped: with none the TLB is left alone.
   * @kernel nvkm/subdev/mmu/uvmm.c nvkm_uvmm_mthd_pfnclr (without: the unpacking of arguments)
   */
  pfnclr(start: number, end: number): number;
  /** The address space ends, with all that is mapped in it. @kernel nvif/vmm.c nvif_vmm_dtor (all) */
  dtor(): void;
}

/** The replayable fault buffer as the driver reads it: entries from GET to PUT. */
export interface NvifFaultBuffer {
  readonly get: number;
  readonly put: number;
  /** Entries waiting to be read. */
  readonly pending: number;
  /** Reads the entry at ring position `at`. */
  read(at: number, entry: GpuFaultEntry): void;
  /** Ring position after `at`. */
  next(at: number): number;
  /** Writes GET: what was read may be written over. */
  discardTo(at: number): void;
}

/**
 * All that `nouveau_svm.c` and `nouveau_dmem.c` reach of the GPU: the objects behind nvif, the fault buffer's registers, buffer
 * objects for device memory and the channel of the copy engine. Frames are those of the memory system, of both kinds.
 */
export interface NvifDevice {
  readonly chip: NvkmChip;
  readonly cost: NouveauCost;
  readonly faultBuffer: NvifFaultBuffer;
  /** Sets who serves the interrupt: called when faults are pending; gives what has to be waited for until a work item is over. */
  onFaultsPending(handler: () => Task | undefined): void;
  /**
   * A managed address space with replayable faults.
   * @kernel nvif/vmm.c nvif_vmm_ctor (without: page sizes and limits that are asked of the GPU)
   */
  vmmNew(unmanaged: Unmanaged): NvifVmm;
  /**
   * A channel on the graphics engine, in `vmm` or without SVM. @returns its instance pointer.
   * @kernel nouveau_chan.c nouveau_channel_new (without: push buffers, engines other than graphics)
   */
  channelNew(vmm: NvifVmm | undefined): number;
  /** The channel of instance `inst` ends, with what runs on it. */
  channelDel(inst: number): void;
  /**
   * Has the GPU retry everything that is stalled.
   * @kernel nvkm/subdev/mmu/vmmgp100.c gp100_vmm_mthd (without: the unpacking of arguments)
   */
  faultReplay(): void;
  /**
   * Ends what `client` of instance `inst` waits for.
   * @kernel nvkm/subdev/mmu/vmmgp100.c gp100_vmm_mthd (without: the unpacking of arguments)
   */
  faultCancel(inst: number, client: number, vpn: number): void;
  /** A pinned buffer of `pages` pages of device memory. @returns its first page, -1 when there is no room. @kernel nouveau_bo.c nouveau_bo_new_pin */
  vramNew(pages: number): number;
  /** Gives a buffer back. */
  vramDel(first: number, pages: number): void;
  /**
   * Pushes a copy from host frames to device frames. @returns its time, ns.
   * @kernel nouveau_dmem.c nvc0b5_migrate_copy (without: the methods that are pushed)
   */
  copyIn(vram: number, host: number, pages: number): number;
  /** Pushes a copy from device frames to host frames. @returns its time, ns. */
  copyOut(host: number, vram: number, pages: number): number;
  /**
   * Pushes commands that zero device frames. @returns their time, ns.
   * @kernel nouveau_dmem.c nvc0b5_migrate_clear (without: the methods that are pushed)
   */
  clear(vram: number, pages: number): number;
  /**
   * Emits a fence behind what was pushed, which is executed now.
   * @kernel nouveau_fence.c nouveau_fence_new (without: fences that are waited for elsewhere)
   */
  fence(): void;
}
