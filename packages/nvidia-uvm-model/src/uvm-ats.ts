import { cpuResidency, RES_DEVICE_MAPPED, RES_DEVICE_WRITE } from '@hmm/device';
import {
  GPU_LEAF_4K,
  GPU_PTE_ATOMIC,
  GPU_PTE_FOREIGN,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  type GpuWalker,
} from '@hmm/gpu';
import { alignDown, HPAGE_PMD_NR, HPAGE_PMD_ORDER, type Task } from '@hmm/kernel';
import { declareState, ENTRY_TABLE, LEVEL_PMD, pteIndex } from '@hmm/kernel/internal';
import { type MmStruct } from '@hmm/mm';
import {
  HUGE_ZERO_PFN,
  PTE_DIRTY,
  PTE_PROTNONE,
  PTE_SPECIAL,
  PTE_YOUNG,
  ptePresent,
  pteWrite,
  ZERO_PFN,
} from '@hmm/mm/internal';
import {
  MmuNotifier,
  mmuNotifierRegister,
  mmuNotifierUnregister,
  type MmuNotifierRange,
} from '@hmm/mmu-notifier';
import type { UvmHmmDevmem } from './uvm-hmm-devmem.js';
import { UvmVaBlock } from './uvm-va-block.js';
import { UvmVaRange } from './uvm-va-range.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** What the CPU's page table says of a page. */
const NOTHING = 0;

/**
 * A process's page table as the GPU translates by it, and the notifier by which its cached translations go: the binding that the
 * IOMMU keeps. What of it is in device memory is device-coherent pages, which stand for the GPU's NUMA node.
 * @uvm uvm_ats_sva.c uvm_ats_sva_bind_gpu (without: the IOMMU's own binding, reference counts)
 */
export class UvmAts implements GpuWalker {
  /** What of it is state. */
  static readonly state = declareState({
    space: 'constant',
    mm: 'constant',
    devmem: 'constant',
    pages: 'constant',
    pieces: 'constant',
    changing: 'constant',
    notifier: 'constant',
    closed: 'value',
    entry: 'value',
    pfn: 'value',
  });

  readonly space: UvmVaSpace;
  readonly mm: MmStruct;
  readonly devmem: UvmHmmDevmem;
  /** Owns what the kernel has of device memory: never evicted by the driver. */
  readonly pages: UvmVaBlock;
  /** First pages of the 2 MiB pieces with a translation in the GPU's table. */
  private readonly pieces = new Set<number>();
  /** Invalidations that have begun and not ended: nothing is translated inside them. */
  private readonly changing: MmuNotifierRange[] = [];
  private readonly notifier: MmuNotifier;
  private closed = false;
  /** Lane of the entry found last, and its frame. */
  private entry = 0;
  private pfn = 0;

  constructor(space: UvmVaSpace, mm: MmStruct, devmem: UvmHmmDevmem) {
    this.space = space;
    this.mm = mm;
    this.devmem = devmem;
    this.pages = new UvmVaBlock(new UvmVaRange(space, 0, HPAGE_PMD_NR), 0, HPAGE_PMD_NR);
    this.pages.unevictable = true;
    this.notifier = new MmuNotifier({
      release: () => {
        this.closed = true;
        this.forget(0, Infinity);
      },
      invalidateRangeStart: (_sub, range) => {
        this.changing.push(range);
        this.forget(range.start, range.end);
        return 0;
      },
      invalidateRangeEnd: (_sub, range) => {
        this.changing.splice(this.changing.indexOf(range), 1);
      },
    });
  }

  /** Binds the GPU's address space; returns 0 or a negative errno. */
  *bind(): Task<number> {
    const errno = yield* mmuNotifierRegister(this.notifier, this.mm);
    if (errno === 0) this.space.instance.table.walker = this;
    return errno;
  }

  /** Ends the binding. What is in device memory stays there: it is the process's memory like any other. */
  *unbind(): Task {
    this.closed = true;
    this.space.instance.table.walker = undefined;
    yield* mmuNotifierUnregister(this.notifier, this.mm);
  }

  /** The hardware's walk: marks the entry as used, and as written before it is mapped for writing. */
  walk(vpn: number, needs: number): void {
    if (this.closed || this.isChanging(vpn) || this.space.range(vpn) !== undefined) return;
    const { lanes } = this.mm.system.tables;
    const flags = this.look(vpn);
    const write = (needs & GPU_PTE_WRITE) !== 0;
    if (flags === NOTHING || (write && !pteWrite(flags))) return;
    if ((flags & PTE_SPECIAL) === 0) {
      lanes[this.entry] = (lanes[this.entry] ?? 0) | PTE_YOUNG | (write ? PTE_DIRTY : 0);
    }
    const writable = pteWrite(flags) && (write || (flags & PTE_DIRTY) !== 0);
    const rights = writable ? GPU_PTE_WRITE | GPU_PTE_ATOMIC : 0;
    const aperture = this.devmem.holds(this.pfn) ? 0 : GPU_PTE_SYSMEM;
    const pte = GPU_PTE_VALID | GPU_PTE_FOREIGN | aperture | rights;
    this.space.instance.table.map(vpn, 1, this.pfn, pte, GPU_LEAF_4K);
    this.pieces.add(alignDown(vpn, HPAGE_PMD_ORDER));
  }

  /** The CPU maps the page, for writing if `write`: the GPU reaches it. */
  maps(vpn: number, write: boolean): boolean {
    const flags = this.look(vpn);
    return flags !== NOTHING && (!write || pteWrite(flags));
  }

  /** The page is in device memory. */
  isLocal(vpn: number): boolean {
    return this.look(vpn) !== NOTHING && this.devmem.holds(this.pfn);
  }

  /** Nobody has put anything there but the zero page: a first touch decides where it goes. */
  isUntouched(vpn: number): boolean {
    const flags = this.look(vpn);
    return flags === NOTHING ? this.pfn < 0 : this.pfn === ZERO_PFN;
  }

  /** Where a page is and who maps it, as `RES_*` bits: the GPU reaches what the CPU's page table maps. */
  residency(vpn: number): number {
    const bits = cpuResidency(this.mm, vpn);
    const flags = this.look(vpn);
    if (flags === NOTHING) return bits;
    return bits | RES_DEVICE_MAPPED | (pteWrite(flags) ? RES_DEVICE_WRITE : 0);
  }

  /** Flags of the present entry that maps `vpn`, whose lane and frame are left behind; {@link NOTHING}, and a frame of -1 for a hole. */
  private look(vpn: number): number {
    const { tables } = this.mm.system;
    this.pfn = -1;
    let entry = tables.find(this.mm.root, vpn, LEVEL_PMD);
    if (entry < 0) return NOTHING;
    let flags = tables.lanes[entry] ?? 0;
    const small = flags === ENTRY_TABLE;
    if (small) {
      entry = (tables.lanes[entry + 1] ?? 0) + 2 * pteIndex(vpn);
      flags = tables.lanes[entry] ?? 0;
    }
    if (flags === 0) return NOTHING;
    const payload = tables.lanes[entry + 1] ?? 0;
    this.entry = entry;
    this.pfn = small ? payload : payload === HUGE_ZERO_PFN ? ZERO_PFN : payload + pteIndex(vpn);
    return ptePresent(flags) && (flags & PTE_PROTNONE) === 0 ? flags : NOTHING;
  }

  private isChanging(vpn: number): boolean {
    for (const { start, end } of this.changing) if (vpn >= start && vpn < end) return true;
    return false;
  }

  /** The GPU's translations of the pages `start` … `end - 1` go. */
  private forget(start: number, end: number): void {
    let dropped = 0;
    if (end - start > this.pieces.size * HPAGE_PMD_NR) {
      for (const piece of [...this.pieces]) dropped += this.drop(piece, start, end);
    } else {
      for (let piece = alignDown(start, HPAGE_PMD_ORDER); piece < end; piece += HPAGE_PMD_NR)
        if (this.pieces.has(piece)) dropped += this.drop(piece, start, end);
    }
    if (dropped > 0) this.space.driver.tools.counters.invalidations++;
  }

  /** Of one piece; returns the pages. */
  private drop(piece: number, start: number, end: number): number {
    const from = Math.max(piece, start);
    const pages = Math.min(piece + HPAGE_PMD_NR, end) - from;
    if (pages <= 0) return 0;
    this.space.instance.table.unmap(from, pages);
    if (pages === HPAGE_PMD_NR) this.pieces.delete(piece);
    return pages;
  }
}
