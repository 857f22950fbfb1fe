import {
  GPU_LEAF_2M,
  GPU_LEAF_4K,
  GPU_PTE_ATOMIC,
  GPU_PTE_FOREIGN,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  type GpuPageTable,
} from '@hmm/gpu';
import { HmmError, HPAGE_PMD_NR } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  NVIF_VMM_PFNMAP_V0_A,
  NVIF_VMM_PFNMAP_V0_V,
  NVIF_VMM_PFNMAP_V0_VRAM,
  NVIF_VMM_PFNMAP_V0_W,
  PFN_LANES,
} from './nvif.js';

/** Entries of a page directory 0 of gp100, each for 2 MiB: an entry, or a table of small ones. */
const PD0_SLOTS = 256;
const PD0_PAGES = PD0_SLOTS * HPAGE_PMD_NR;

/** A page directory 0 as the driver counts its uses. @kernel nvkm/subdev/mmu/vmm.h nvkm_vmm_pt */
interface Pd0 {
  /** Number of the directory: its first page divided by its pages. */
  readonly index: number;
  /** 2 MiB entries, and tables of small ones. */
  refs: number;
  /** By slot: small entries counted in its table; without any there is no table. */
  readonly sptRefs: Int32Array;
  /** By slot: whether the hardware's entry no longer leads to the table that the driver counts. */
  readonly hidden: Uint8Array;
}

/**
 * The page tables of gp100 under an address space: entries in the hardware's tables, and how the driver counts what keeps
 * each table alive. Which of the two knows better differs after some operations, as it does in the driver.
 * @kernel nvkm/subdev/mmu/vmm.c nvkm_vmm_iter (without: levels above page directory 0, sparse entries),
 * nvkm/subdev/mmu/vmmgp100.c
 */
export class NvkmPageTables {
  /** What of it is state. */
  static readonly state = declareState({
    table: 'constant',
    pd0s: 'constant',
    last: { saved: 'where it looked last' },
  });

  /** What the hardware walks. */
  readonly table: GpuPageTable;
  private readonly pd0s = new Map<number, Pd0>();
  private last: Pd0 | undefined;

  constructor(table: GpuPageTable) {
    this.table = table;
  }

  /** Writes entries for [start, end), from entry `at` of `phys` on; `ref` counts them as new. */
  map(huge: boolean, start: number, end: number, phys: Int32Array, at: number, ref: boolean): void {
    if (huge) this.mapHuge(start, end, phys, at, ref);
    else this.mapSmall(start, end, phys, at, ref);
  }

  /**
   * Clears the entries of [start, end) and uncounts them: of 2 MiB entries as many as fit into the size, from the one on that
   * `start` is in. @returns pages cleared.
   */
  unmap(huge: boolean, start: number, end: number): number {
    return huge ? this.unmapHuge(start, end) : this.unmapSmall(start, end);
  }

  /** Frees all tables. */
  destroy(): void {
    for (const pd0 of this.pd0s.values()) this.free(pd0);
  }

  private mapHuge(start: number, end: number, phys: Int32Array, from: number, ref: boolean): void {
    let at = from;
    for (let vpn = start; vpn < end; vpn += HPAGE_PMD_NR) {
      const pd0 = this.pd0(vpn, ref);
      const slot = slotOf(vpn);
      if (ref) pd0.refs++;
      if (pd0.sptRefs[slot] !== 0) pd0.hidden[slot] = 1;
      const flags = pteFlags(phys[PFN_LANES * at] ?? 0);
      this.table.map(vpn, HPAGE_PMD_NR, phys[PFN_LANES * at + 1] ?? 0, flags, GPU_LEAF_2M);
      at++;
    }
  }

  private mapSmall(start: number, end: number, phys: Int32Array, from: number, ref: boolean): void {
    let at = from;
    for (let vpn = start; vpn < end;) {
      const stop = Math.min(end, vpn - (vpn % HPAGE_PMD_NR) + HPAGE_PMD_NR);
      const pd0 = this.pd0(vpn, ref);
      const slot = slotOf(vpn);
      if (pd0.sptRefs[slot] === 0) {
        if (!ref) throw oops(vpn);
        this.newTable(pd0, slot, vpn);
      }
      if (ref) pd0.sptRefs[slot] = (pd0.sptRefs[slot] ?? 0) + stop - vpn;
      const reached = pd0.hidden[slot] === 0;
      for (; vpn < stop; vpn++) {
        const flags = pteFlags(phys[PFN_LANES * at] ?? 0);
        if (reached) this.table.map(vpn, 1, phys[PFN_LANES * at + 1] ?? 0, flags, GPU_LEAF_4K);
        at++;
      }
    }
  }

  /** The slot gets a table of small entries in place of what was there. */
  private newTable(pd0: Pd0, slot: number, vpn: number): void {
    pd0.refs++;
    pd0.hidden[slot] = 0;
    if (this.table.leafOrder(vpn) === GPU_LEAF_2M) this.clearSlot(pd0, slot);
  }

  private unmapHuge(start: number, end: number): number {
    const first = Math.floor(start / HPAGE_PMD_NR);
    const behind = first + Math.floor((end - start) / HPAGE_PMD_NR);
    for (let entry = first; entry < behind; entry++) {
      const vpn = entry * HPAGE_PMD_NR;
      const pd0 = this.pd0(vpn, false);
      const slot = slotOf(vpn);
      this.clearSlot(pd0, slot);
      if (pd0.sptRefs[slot] !== 0) pd0.hidden[slot] = 1;
      if (--pd0.refs === 0) this.free(pd0);
    }
    return (behind - first) * HPAGE_PMD_NR;
  }

  private unmapSmall(start: number, end: number): number {
    for (let vpn = start; vpn < end;) {
      const stop = Math.min(end, vpn - (vpn % HPAGE_PMD_NR) + HPAGE_PMD_NR);
      const pd0 = this.pd0(vpn, false);
      const slot = slotOf(vpn);
      const refs = pd0.sptRefs[slot] ?? 0;
      if (refs === 0) throw oops(vpn);
      pd0.sptRefs[slot] = refs - (stop - vpn);
      if (pd0.sptRefs[slot] === 0) {
        this.clearSlot(pd0, slot);
        if (--pd0.refs === 0) this.free(pd0);
      } else if (pd0.hidden[slot] === 0) this.table.unmap(vpn, stop - vpn);
      vpn = stop;
    }
    return end - start;
  }

  private clearSlot(pd0: Pd0, slot: number): void {
    this.table.unmap(pd0.index * PD0_PAGES + slot * HPAGE_PMD_NR, HPAGE_PMD_NR);
  }

  /** The directory goes, and with it the hardware's way to all that is in it. */
  private free(pd0: Pd0): void {
    this.pd0s.delete(pd0.index);
    if (this.last === pd0) this.last = undefined;
    this.table.unmap(pd0.index * PD0_PAGES, PD0_PAGES);
  }

  private pd0(vpn: number, make: boolean): Pd0 {
    const index = Math.floor(vpn / PD0_PAGES);
    if (this.last?.index === index) return this.last;
    let pd0 = this.pd0s.get(index);
    if (pd0 === undefined) {
      if (!make) throw oops(vpn);
      pd0 = { index, refs: 0, sptRefs: new Int32Array(PD0_SLOTS), hidden: new Uint8Array(PD0_SLOTS) };
      this.pd0s.set(index, pd0);
    }
    this.last = pd0;
    return pd0;
  }
}

function slotOf(vpn: number): number {
  return Math.floor(vpn / HPAGE_PMD_NR) % PD0_SLOTS;
}

/** The GPU's PTE bits for `NVIF_VMM_PFNMAP_V0_*`. */
function pteFlags(phys: number): number {
  let flags = (phys & NVIF_VMM_PFNMAP_V0_V) !== 0 ? GPU_PTE_VALID | GPU_PTE_FOREIGN : 0;
  if ((phys & NVIF_VMM_PFNMAP_V0_W) !== 0) flags |= GPU_PTE_WRITE;
  if ((phys & NVIF_VMM_PFNMAP_V0_A) !== 0) flags |= GPU_PTE_ATOMIC;
  if ((phys & NVIF_VMM_PFNMAP_V0_VRAM) === 0) flags |= GPU_PTE_SYSMEM;
  return flags;
}

/** The kernel follows a pointer to a page table that is not there. */
function oops(vpn: number): HmmError {
  return new HmmError(
    'NOUVEAU_OOPS',
    `the kernel crashes in nvkm_vmm_unref_ptes: there is no page table for page ${vpn} of the GPU`,
    { vpn },
  );
}
