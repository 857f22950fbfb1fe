import {
  GPU_PTE_ATOMIC,
  GPU_PTE_FOREIGN,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  type GpuInstance,
  type GpuPageTable,
} from '@hmm/gpu';
import {
  ENTRY_TABLE,
  entryPages,
  HPAGE_PMD_NR,
  LEVEL_P4D,
  LEVEL_PGD,
  LEVEL_PMD,
  LEVEL_PUD,
} from '@hmm/kernel';

/** The entry maps something. */
export const NVIF_VMM_PFNMAP_V0_V = 1;
/** Stores are allowed. */
export const NVIF_VMM_PFNMAP_V0_W = 2;
/** Atomics are allowed. */
export const NVIF_VMM_PFNMAP_V0_A = 4;
/** In the GPU's memory; without it, in the host's. */
export const NVIF_VMM_PFNMAP_V0_VRAM = 8;

/** Pages that five levels of tables reach. */
const TABLE_REACH = 2 ** 45;

/**
 * A GPU address space as the driver's upper half sees it: PTEs by page frame, without buffer objects.
 * Frames are those of the memory system, system and device alike.
 */
export class NvkmVmm {
  readonly instance: GpuInstance;
  readonly table: GpuPageTable;

  constructor(instance: GpuInstance) {
    this.instance = instance;
    this.table = instance.table;
  }

  /**
   * Maps 2^`order` pages from `vpn` to consecutive frames from `pfn`, as one GPU page where the order is that of
   * one. `phys` is `NVIF_VMM_PFNMAP_V0_*`; without V the pages are left unmapped.
   * @kernel nvkm/subdev/mmu/vmm.c nvkm_vmm_pfn_map
   */
  pfnmap(vpn: number, order: number, pfn: number, phys: number): void {
    if (this.instance.dead) return;
    const pages = 2 ** order;
    if ((phys & NVIF_VMM_PFNMAP_V0_V) === 0) {
      this.pfnclr(vpn, vpn + pages);
      return;
    }
    let flags = GPU_PTE_VALID | GPU_PTE_FOREIGN;
    if ((phys & NVIF_VMM_PFNMAP_V0_W) !== 0) flags |= GPU_PTE_WRITE;
    if ((phys & NVIF_VMM_PFNMAP_V0_A) !== 0) flags |= GPU_PTE_ATOMIC;
    if ((phys & NVIF_VMM_PFNMAP_V0_VRAM) === 0) flags |= GPU_PTE_SYSMEM;
    this.table.map(vpn, pages, pfn, flags, order);
  }

  /**
   * Removes what is mapped in [start, end). Tables that do not exist are stepped over, so that clearing all of an
   * address space costs what is mapped in it.
   * @returns pages that were mapped.
   * @kernel nvkm/subdev/mmu/vmm.c nvkm_vmm_pfn_unmap
   */
  pfnclr(start: number, end: number): number {
    let cleared = 0;
    const limit = Math.min(end, TABLE_REACH);
    for (let at = start; at < limit;) {
      const step = this.stepAt(at);
      const next = Math.min(limit, at - (at % step) + step);
      if (step === HPAGE_PMD_NR) cleared += this.clearPmd(at, next);
      at = next;
    }
    return cleared;
  }

  /** Pages up to the next place where something may be mapped: the extent of the lowest table entry that is there. */
  private stepAt(vpn: number): number {
    const { pool, root } = this.table;
    for (const level of [LEVEL_PGD, LEVEL_P4D, LEVEL_PUD]) {
      if (level > pool.levels) continue;
      const entry = pool.find(root, vpn, level);
      if (entry < 0 || pool.lanes[entry] !== ENTRY_TABLE) return entryPages(level);
    }
    return HPAGE_PMD_NR;
  }

  private clearPmd(start: number, end: number): number {
    const { pool, root } = this.table;
    const pmd = pool.find(root, start, LEVEL_PMD);
    if (pmd < 0 || pool.lanes[pmd] === 0) return 0;
    let mapped = 0;
    for (let vpn = start; vpn < end; vpn++) {
      if ((this.table.flags(vpn) & GPU_PTE_VALID) !== 0) mapped++;
    }
    if (mapped > 0) this.table.unmap(start, end - start);
    return mapped;
  }
}
