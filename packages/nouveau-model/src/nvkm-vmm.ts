import type { GpuPageTable } from '@hmm/gpu';
import { EINVAL, ENOENT, HmmError, HPAGE_PMD_NR, PAGE_SHIFT } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { NouveauBehaviours } from './nouveau-behaviours.js';
import { HPAGE_PMD_SHIFT, NVIF_VMM_PFNMAP_V0_V, type NvifVmm, PFN_LANES, type Unmanaged } from './nvif.js';
import { NvkmPageTables } from './nvkm-page-tables.js';
import {
  NVKM_VMA_HUGE,
  NVKM_VMA_MAPPED,
  NVKM_VMA_PART,
  NVKM_VMA_UNMANAGED,
  NvkmVmaList,
} from './nvkm-vma-list.js';

/** Pages of gp100's address spaces: 49 bits of bytes. */
const VMM_LIMIT = 2 ** 37;

/**
 * An address space of gp100 as nvkm keeps it for its client: nodes that say which ranges are mapped, and page tables.
 * @kernel nvkm/subdev/mmu.h nvkm_vmm
 */
export class NvkmVmm implements NvifVmm {
  /** What of it is state. */
  static readonly state = declareState({
    table: 'constant',
    nodes: 'constant',
    tables: 'constant',
    does: { outside: 'chosen when the driver is loaded' },
    dead: 'value',
  });

  /** What the hardware walks. */
  readonly table: GpuPageTable;
  private readonly nodes = new NvkmVmaList(VMM_LIMIT);
  private readonly tables: NvkmPageTables;
  private readonly does: NouveauBehaviours;
  private dead = false;

  constructor(table: GpuPageTable, { start, limit }: Unmanaged, does: NouveauBehaviours) {
    this.table = table;
    this.tables = new NvkmPageTables(table);
    this.does = does;
    if (limit <= start || start >= VMM_LIMIT) return;
    if (start > 0) {
      this.nodes.cut(start, NVKM_VMA_UNMANAGED);
      this.nodes.next();
    } else this.nodes.flags = NVKM_VMA_UNMANAGED;
    if (limit < VMM_LIMIT) this.nodes.cut(limit, 0);
  }

  /** @kernel nvkm/subdev/mmu/vmm.c nvkm_vmm_pfn_map (all) */
  pfnmap(vpn: number, shift: number, phys: Int32Array, count: number): number {
    if (shift !== PAGE_SHIFT && shift !== HPAGE_PMD_SHIFT) return -EINVAL;
    const huge = shift === HPAGE_PMD_SHIFT;
    const pages = huge ? HPAGE_PMD_NR : 1;
    const end = vpn + pages * count;
    if (vpn % pages !== 0 || end > VMM_LIMIT) return -EINVAL;
    if (this.dead) return 0;
    const { nodes } = this;
    nodes.seek(vpn);
    if ((nodes.flags & NVKM_VMA_UNMANAGED) !== 0) return -ENOENT;
    let at = 0;
    for (let start = vpn; start < end;) {
      const valid = ((phys[PFN_LANES * at] ?? 0) & NVIF_VMM_PFNMAP_V0_V) !== 0;
      const run = sameFrom(phys, at, count, valid);
      const stop = Math.min(start + pages * run, nodes.end);
      if ((stop - start) % pages !== 0)
        throw new HmmError('NOUVEAU_OOPS', 'a 2 MiB entry would reach into the unmanaged interval', { vpn });
      if ((nodes.flags & NVKM_VMA_UNMANAGED) !== 0) refuse(phys, at, stop - start);
      else this.mapOrUnmap(valid, huge, start, stop, phys, at);
      if (nodes.end === stop && !nodes.next()) break;
      at += (stop - start) / pages;
      start = stop;
    }
    return 0;
  }

  /** @kernel nvkm/subdev/mmu/vmm.c nvkm_vmm_pfn_unmap (all) */
  pfnclr(start: number, end: number): number {
    if (this.dead) return 0;
    const { nodes } = this;
    nodes.seek(start);
    if ((nodes.flags & NVKM_VMA_UNMANAGED) !== 0) return 0;
    let cleared = 0;
    let at = start;
    do {
      if ((nodes.flags & NVKM_VMA_MAPPED) !== 0) cleared += this.clearNode(at, Math.min(end, nodes.end));
      if (!nodes.next()) break;
      at = nodes.start;
    } while (at < end);
    return cleared;
  }

  /** @kernel nvkm/subdev/mmu/vmm.c nvkm_vmm_dtor (without: mappings of buffer objects) */
  dtor(): void {
    this.dead = true;
    this.tables.destroy();
  }

  /** Brings [start, end), all inside the cursor's node, to what `phys` says of it. */
  private mapOrUnmap(
    map: boolean,
    huge: boolean,
    start: number,
    end: number,
    phys: Int32Array,
    at: number,
  ): void {
    const { nodes, tables } = this;
    const mapped = (nodes.flags & NVKM_VMA_MAPPED) !== 0;
    if (map !== mapped) this.splitMerge(start, end, map, huge);
    if (map) tables.map(huge, start, end, phys, at, !mapped);
    else if (mapped) tables.unmap(huge, start, end);
  }

  /** Clears [start, end) of the cursor's node. The page size is the node's, whatever is mapped in it. */
  private clearNode(from: number, to: number): number {
    const { nodes } = this;
    const huge = (nodes.flags & NVKM_VMA_HUGE) !== 0;
    let start = from;
    let end = to;
    if (huge && !this.does.partialHugeClear) {
      start = Math.max(nodes.start, start - (start % HPAGE_PMD_NR));
      end = Math.min(nodes.end, Math.ceil(end / HPAGE_PMD_NR) * HPAGE_PMD_NR);
    }
    const cleared = this.tables.unmap(huge, start, end);
    this.splitMerge(start, end, false, false);
    return cleared;
  }

  /**
   * Makes [start, end), inside the cursor's node, a node of its own that is mapped or not, or a part of a neighbour that is so
   * already. The cursor is at it then. A mapped one has the new page size, all of it.
   * @kernel nvkm/subdev/mmu/vmm.c nvkm_vmm_pfn_split_merge, nvkm_vmm_node_merge, nvkm_vmm_node_split
   * (without: buffer objects in the nodes)
   */
  private splitMerge(start: number, end: number, map: boolean, huge: boolean): void {
    const { nodes } = this;
    const { flags, flagsBehind } = nodes;
    const whole = nodes.start === start && nodes.end === end;
    const toPrevious =
      nodes.start === start && (flags & NVKM_VMA_PART) !== 0 && this.joins(nodes.flagsBefore, map, huge);
    const toNext =
      nodes.end === end && (flagsBehind & NVKM_VMA_PART) !== 0 && this.joins(flagsBehind, map, huge);
    if (toNext && !whole) {
      nodes.moveNext(start);
      nodes.next();
    } else if (toNext || toPrevious) {
      if (toNext) nodes.joinNext();
      if (toPrevious) {
        nodes.previous();
        if (whole) nodes.joinNext();
        else nodes.moveNext(end);
      }
    } else {
      if (nodes.start !== start) {
        nodes.cut(start, flags | NVKM_VMA_PART);
        nodes.next();
      }
      if (nodes.end !== end) nodes.cut(end, flags | NVKM_VMA_PART);
    }
    const kept = nodes.flags & ~(NVKM_VMA_MAPPED | NVKM_VMA_HUGE);
    nodes.flags = kept | (map ? NVKM_VMA_MAPPED : 0) | (map && huge ? NVKM_VMA_HUGE : 0);
  }

  /** Whether a neighbour is mapped or not as wanted; its page size is looked at only where that defect is mended. */
  private joins(flags: number, map: boolean, huge: boolean): boolean {
    if (flags < 0 || (flags & NVKM_VMA_UNMANAGED) !== 0 || ((flags & NVKM_VMA_MAPPED) !== 0) !== map)
      return false;
    return this.does.joinsPageSizes || !map || ((flags & NVKM_VMA_HUGE) !== 0) === huge;
  }
}

/** How many entries from `at` on are valid, or are not, as the first. */
function sameFrom(phys: Int32Array, at: number, count: number, valid: boolean): number {
  let run = 1;
  while (at + run < count && (((phys[PFN_LANES * (at + run)] ?? 0) & NVIF_VMM_PFNMAP_V0_V) !== 0) === valid)
    run++;
  return run;
}

function refuse(phys: Int32Array, at: number, entries: number): void {
  for (let i = at; i < at + entries; i++)
    phys[PFN_LANES * i] = (phys[PFN_LANES * i] ?? 0) & ~NVIF_VMM_PFNMAP_V0_V;
}
