import {
  GPU_LEAF_2M,
  GPU_PTE_ATOMIC,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  GpuPageTable,
} from '@hmm/gpu';
import { EINVAL, ENOENT, HPAGE_PMD_NR, PAGE_SHIFT } from '@hmm/kernel';
import type { NouveauBehaviours } from '../nouveau-behaviours.js';
import {
  HPAGE_PMD_SHIFT,
  NVIF_VMM_PFNMAP_V0_A,
  NVIF_VMM_PFNMAP_V0_V,
  NVIF_VMM_PFNMAP_V0_VRAM,
  NVIF_VMM_PFNMAP_V0_W,
  type NvifVmm,
  PFN_LANES,
  type Unmanaged,
} from '../nvif.js';
import { NvkmVmm } from '../nvkm-vmm.js';
import type { FakeEvents } from './fake-events.js';

/** An entry as the fake GPU finds it. */
export interface FakeEntry {
  /** `NVIF_VMM_PFNMAP_V0_*`, 0 for none. */
  readonly phys: number;
  readonly pfn: number;
  /** Whether it is a part of a 2 MiB entry. */
  readonly huge: boolean;
}

const NO_ENTRY: FakeEntry = { phys: 0, pfn: 0, huge: false };

/** A table that an address space of the fake GPU has: a plain one, or nvkm's own. */
interface FakeTable extends NvifVmm {
  entry(vpn: number): FakeEntry;
}

/** A plain map of pages that does exactly what it is asked. */
class PlainTable implements FakeTable {
  private readonly entries = new Map<number, FakeEntry>();
  private readonly unmanaged: Unmanaged;

  constructor(unmanaged: Unmanaged) {
    this.unmanaged = unmanaged;
  }

  pfnmap(vpn: number, shift: number, phys: Int32Array, count: number): number {
    const pages = shift === HPAGE_PMD_SHIFT ? HPAGE_PMD_NR : 1;
    if ((pages === 1 && shift !== PAGE_SHIFT) || vpn % pages !== 0) return -EINVAL;
    const { start, limit } = this.unmanaged;
    if (vpn >= start && vpn < limit) return -ENOENT;
    for (let i = 0; i < count; i++) {
      const at = vpn + i * pages;
      if (at >= start && at < limit) phys[PFN_LANES * i] = (phys[PFN_LANES * i] ?? 0) & ~NVIF_VMM_PFNMAP_V0_V;
      else this.store(at, pages, phys[PFN_LANES * i] ?? 0, phys[PFN_LANES * i + 1] ?? 0);
    }
    return 0;
  }

  pfnclr(start: number, end: number): number {
    let cleared = 0;
    if (end - start > this.entries.size) {
      for (const vpn of this.entries.keys())
        if (vpn >= start && vpn < end && this.entries.delete(vpn)) cleared++;
    } else for (let vpn = start; vpn < end; vpn++) if (this.entries.delete(vpn)) cleared++;
    return cleared;
  }

  entry(vpn: number): FakeEntry {
    return this.entries.get(vpn) ?? NO_ENTRY;
  }

  dtor(): void {
    this.entries.clear();
  }

  private store(vpn: number, pages: number, phys: number, pfn: number): void {
    for (let i = 0; i < pages; i++) {
      if ((phys & NVIF_VMM_PFNMAP_V0_V) === 0) this.entries.delete(vpn + i);
      else this.entries.set(vpn + i, { phys, pfn: pfn + i, huge: pages > 1 });
    }
  }
}

/** What the driver's own page-table code has written, as the fake GPU walks it. */
class NvkmTable implements FakeTable {
  private readonly vmm: NvkmVmm;

  constructor(unmanaged: Unmanaged, does: NouveauBehaviours) {
    this.vmm = new NvkmVmm(new GpuPageTable(1024), unmanaged, does);
  }

  pfnmap(vpn: number, shift: number, phys: Int32Array, count: number): number {
    return this.vmm.pfnmap(vpn, shift, phys, count);
  }

  pfnclr(start: number, end: number): number {
    return this.vmm.pfnclr(start, end);
  }

  dtor(): void {
    this.vmm.dtor();
  }

  entry(vpn: number): FakeEntry {
    const { table } = this.vmm;
    const flags = table.flags(vpn);
    if ((flags & GPU_PTE_VALID) === 0) return NO_ENTRY;
    let phys = NVIF_VMM_PFNMAP_V0_V;
    if ((flags & GPU_PTE_WRITE) !== 0) phys |= NVIF_VMM_PFNMAP_V0_W;
    if ((flags & GPU_PTE_ATOMIC) !== 0) phys |= NVIF_VMM_PFNMAP_V0_A;
    if ((flags & GPU_PTE_SYSMEM) === 0) phys |= NVIF_VMM_PFNMAP_V0_VRAM;
    return { phys, pfn: table.frame(vpn), huge: table.leafOrder(vpn) === GPU_LEAF_2M };
  }
}

/** An address space of the fake GPU: notes what it is asked for, and does it. */
export class FakeVmm implements NvifVmm {
  readonly client: number;
  private readonly table: FakeTable;
  private readonly events: FakeEvents;
  private readonly vramPage: (pfn: number) => number;

  /** @param does of the driver that writes its tables itself; undefined for a plain table. */
  constructor(
    client: number,
    unmanaged: Unmanaged,
    does: NouveauBehaviours | undefined,
    events: FakeEvents,
    vramPage: (pfn: number) => number,
  ) {
    this.client = client;
    this.table = does === undefined ? new PlainTable(unmanaged) : new NvkmTable(unmanaged, does);
    this.events = events;
    this.vramPage = vramPage;
  }

  pfnmap(vpn: number, shift: number, phys: Int32Array, count: number): number {
    const { client, events } = this;
    if (shift !== PAGE_SHIFT && shift !== HPAGE_PMD_SHIFT) {
      events.noteRange('maperr', client, vpn, shift, -EINVAL);
      return -EINVAL;
    }
    const words: string[] = [];
    for (let i = 0; i < count; i++)
      words.push(this.code(phys[PFN_LANES * i] ?? 0, phys[PFN_LANES * i + 1] ?? 0));
    const ret = this.table.pfnmap(vpn, shift, phys, count);
    if (ret === 0) {
      for (const [i, word] of words.entries())
        if (word !== '.' && ((phys[PFN_LANES * i] ?? 0) & NVIF_VMM_PFNMAP_V0_V) === 0) words[i] = `!${word}`;
    }
    events.noteRange('map', client, vpn, shift, words.join(' '));
    if (ret !== 0) events.noteRange('maperr', client, vpn, shift, ret);
    return ret;
  }

  pfnclr(start: number, end: number): number {
    this.events.noteRange('clr', this.client, start, end - start);
    return this.table.pfnclr(start, end);
  }

  dtor(): void {
    this.table.dtor();
  }

  /** What is mapped at page `vpn`. */
  entry(vpn: number): FakeEntry {
    return this.table.entry(vpn);
  }

  /** The code of page `vpn` in a listing of the table. */
  codeAt(vpn: number): string {
    const { phys, pfn, huge } = this.table.entry(vpn);
    return this.code(phys, pfn) + (huge ? '*' : '');
  }

  private code(phys: number, pfn: number): string {
    if ((phys & NVIF_VMM_PFNMAP_V0_V) === 0) return '.';
    const write = (phys & NVIF_VMM_PFNMAP_V0_W) !== 0;
    if ((phys & NVIF_VMM_PFNMAP_V0_VRAM) !== 0) return `${write ? 'V' : 'v'}${this.vramPage(pfn)}`;
    if ((phys & NVIF_VMM_PFNMAP_V0_A) !== 0) return 'A';
    return write ? 'H' : 'h';
  }
}
