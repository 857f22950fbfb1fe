import { HmmError, type Kernel } from '@hmm/kernel';
import { hashWords } from '@hmm/kernel/internal';
import { clearColumn, type Column, FEW } from './columns.js';

/**
 * `struct page` as columns indexed by page frame number (pfn). System memory, the zero pages and all device memory
 * share one pfn space; a `dev_pagemap` takes a range of it. Columns are sized for the worst case at construction: the
 * platform charges memory as it is touched, so an unused frame costs nothing.
 *
 * A resident 4 KiB page costs 16 bytes here and 8 in its page table. `private`, `pincount` and `mlockCount` are touched only by
 * pages that need them. Counts have 32 bits, as in the kernel, except `mapcount`, which is
 * tested before it grows. Folios are of order 0 or 9. An order-9 folio is aligned to 512 pfns, its state is that of its head, and
 * the columns of its tails stay untouched until it is mapped by PTEs.
 *
 * @packageDocumentation
 */

export const PG_locked = 1 << 0;
export const PG_referenced = 1 << 1;
export const PG_uptodate = 1 << 2;
export const PG_dirty = 1 << 3;
/** On an LRU list. */
export const PG_lru = 1 << 4;
export const PG_active = 1 << 5;
export const PG_unevictable = 1 << 6;
export const PG_swapbacked = 1 << 7;
/** In the swap cache; the slot is in `private`. */
export const PG_swapcache = 1 << 8;
/** `mapping` is an anon_vma (else, if not 0, an address space). */
export const PG_anon = 1 << 9;
/** This page belongs to exactly one mapping. Per page, also within a large folio. */
export const PG_anon_exclusive = 1 << 10;
/** Head of an order-9 folio. */
export const PG_head = 1 << 11;
/** Taken off the LRU by a migration or by reclaim. */
export const PG_isolated = 1 << 12;
export const PG_mlocked = 1 << 13;
/** Never freed, never counted: the zero page, the huge zero page, frame 0. */
export const PG_reserved = 1 << 14;
export const PG_writeback = 1 << 15;
/** Device memory that the CPU cannot address. */
export const PG_zone_device_private = 1 << 16;
/** Device memory that the CPU can address. */
export const PG_zone_device_coherent = 1 << 17;
export const PG_hwpoison = 1 << 18;
/** In the free list (for checks). */
export const PG_free = 1 << 19;
/** Read into the swap cache ahead of its use. */
export const PG_readahead = 1 << 20;

/** Head of a huge page of the pool that was set aside at boot. */
export const PG_hugetlb = 1 << 21;

/** Flags that a page takes along when it is migrated. */
export const PG_migrated = PG_referenced | PG_dirty | PG_active | PG_swapbacked;

/** Either kind of device memory. */
export const PG_zone_device = PG_zone_device_private | PG_zone_device_coherent;

/** The pfn that stands for "no page". */
export const NO_PFN = 0;
/** The shared zero page. @kernel arch/x86/include/asm/pgtable.h ZERO_PAGE */
export const ZERO_PFN = 1;
/** The huge zero page's head. @kernel mm/huge_memory.c huge_zero_pfn */
export const HUGE_ZERO_PFN = 512;
/** First frame of system memory that can be allocated. */
export const FIRST_PFN = 1024;

/** Page-table entries that can map one page. The kernel has no such limit in practice: 2^31. */
export const MAPCOUNT_MAX = 65535;

/** Frames [start, end). */
export type FrameRange = readonly [start: number, end: number];

/** A saved {@link MemMap}; opaque. */
export interface MemMapState {
  readonly ranges: readonly SavedFrames[];
}

/** A copy of the columns of the frames from `start` on. */
interface SavedFrames {
  readonly start: number;
  readonly refcount: Int32Array;
  readonly mapcount: Uint16Array;
  readonly flags: Int32Array;
  readonly mapping: Uint16Array;
  readonly index: Int32Array;
  readonly private: Int32Array;
  readonly pincount: Int32Array;
  readonly mlockCount: Int32Array;
}

/** The columns. Who frees what lies above (`page-alloc.ts`, `memremap`): here are only the words. */
export class MemMap {
  /** Frames in the pfn space. */
  readonly frames: number;
  /** References held: mappings, page and swap cache, LRU batches, pins, exclusive entries, temporary ones. */
  readonly refcount: Int32Array;
  /**
   * Mappings found through rmap, per 4 KiB page, by PTEs. A large folio keeps the number of its PMD mappings in
   * `private[head + 1]` and of all its mappings in `private[head + 2]`, as the kernel keeps them in the tail pages. Goes up by
   * {@link MemMap.addMapping} only.
   */
  readonly mapcount: Uint16Array;
  /** `PG_*`. */
  readonly flags: Int32Array;
  /** Id of the anon_vma (with PG_anon) or of the address space; 0 for none. */
  readonly mapping: Uint16Array;
  /** Page offset within the mapping, modulo 2^32. */
  readonly index: Int32Array;
  /** Swap slot (PG_swapcache), or what a device driver keeps (`zone_device_data`). */
  readonly private: Int32Array;
  /** Long-term pins among the references. A pin adds one reference here, not the kernel's 1024. */
  readonly pincount: Int32Array;
  /** Locked mappings of an unevictable folio. */
  readonly mlockCount: Int32Array;
  /** First id of the folio locks and wait channels: folio `pfn` has `channels + pfn`. */
  readonly channels: number;
  /** First of the ids under which folios' state is observed. */
  readonly objects: number;
  private readonly kernel: Kernel;

  constructor(kernel: Kernel, frames: number) {
    this.kernel = kernel;
    this.frames = frames;
    this.refcount = new Int32Array(frames);
    this.mapcount = new Uint16Array(frames);
    this.flags = new Int32Array(frames);
    this.mapping = new Uint16Array(frames);
    this.index = new Int32Array(frames);
    this.private = new Int32Array(frames);
    this.pincount = new Int32Array(frames);
    this.mlockCount = new Int32Array(frames);
    this.channels = kernel.allocIds(frames);
    this.objects = kernel.allocIds(frames);
    this.flags[0] = PG_reserved;
    this.flags[ZERO_PFN] = PG_reserved | PG_uptodate;
    this.flags[HUGE_ZERO_PFN] = PG_reserved | PG_uptodate | PG_head;
  }

  /** Whether `pfn` has all of `bits`. */
  test(pfn: number, bits: number): boolean {
    return ((this.flags[pfn] ?? 0) & bits) === bits;
  }

  /** Sets `bits`. */
  set(pfn: number, bits: number): void {
    this.flags[pfn] = (this.flags[pfn] ?? 0) | bits;
  }

  /** Clears `bits`. */
  clear(pfn: number, bits: number): void {
    this.flags[pfn] = (this.flags[pfn] ?? 0) & ~bits;
  }

  /** The head of the folio that `pfn` belongs to. @kernel include/linux/page-flags.h page_folio */
  folio(pfn: number): number {
    const head = pfn - (pfn & 511);
    return ((this.flags[head] ?? 0) & PG_head) !== 0 ? head : pfn;
  }

  /** Takes one reference on a folio. @kernel include/linux/mm.h folio_get (all) */
  get(pfn: number): void {
    // Taking and dropping references commute: whoever looks at the number reports a write.
    this.kernel.sched.access(this.objects + pfn, false);
    this.refcount[pfn] = (this.refcount[pfn] ?? 0) + 1;
  }

  /**
   * Drops one reference and returns what is left; freeing at 0 is the caller's (`folioPut`).
   * @throws HmmError `REF_UNDERFLOW` when there was none.
   */
  dropRef(pfn: number): number {
    const left = (this.refcount[pfn] ?? 0) - 1;
    this.kernel.sched.access(this.objects + pfn, left === 0);
    if (left < 0) throw new HmmError('REF_UNDERFLOW', `frame ${pfn} has no reference to drop`, { pfn });
    this.refcount[pfn] = left;
    return left;
  }

  /**
   * Counts one more PTE mapping of a page.
   * @throws HmmError `MAPCOUNT_OVERFLOW` when it has {@link MAPCOUNT_MAX} already.
   */
  addMapping(pfn: number): void {
    const before = this.mapcount[pfn] ?? 0;
    if (before === MAPCOUNT_MAX)
      throw new HmmError(
        'MAPCOUNT_OVERFLOW',
        `frame ${pfn} is mapped ${before} times and cannot be once more`,
        {
          pfn,
        },
      );
    this.mapcount[pfn] = before + 1;
  }

  /** Locks a folio if it is free. @kernel include/linux/pagemap.h folio_trylock (all) */
  tryLock(pfn: number): boolean {
    const { sched } = this.kernel;
    if (sched.exploring && this.refcount[pfn] === 0)
      throw new HmmError('LOCK_FREE_PAGE', `frame ${pfn} is locked while it is free`, { pfn });
    const flags = this.flags[pfn] ?? 0;
    const free = (flags & PG_locked) === 0;
    sched.access(this.channels + pfn, free);
    if (!free) return false;
    this.flags[pfn] = flags | PG_locked;
    return true;
  }

  /**
   * Unlocks a folio and wakes who waits for it.
   * @kernel mm/filemap.c folio_unlock (without: the order in which waiters are woken)
   */
  unlock(pfn: number): void {
    const { sched } = this.kernel;
    const flags = this.flags[pfn] ?? 0;
    if ((flags & PG_locked) === 0) throw new HmmError('NOT_LOCKED', `folio ${pfn} is not locked`, { pfn });
    this.flags[pfn] = flags & ~PG_locked;
    sched.access(this.channels + pfn, true);
    sched.wake(this.channels + pfn);
  }

  /** A copy of the state of the frames in `ranges`. */
  save(ranges: readonly FrameRange[]): MemMapState {
    return {
      ranges: ranges.map(([start, end]) => ({
        start,
        refcount: this.refcount.slice(start, end),
        mapcount: this.mapcount.slice(start, end),
        flags: this.flags.slice(start, end),
        mapping: this.mapping.slice(start, end),
        index: this.index.slice(start, end),
        private: this.private.slice(start, end),
        pincount: this.pincount.slice(start, end),
        mlockCount: this.mlockCount.slice(start, end),
      })),
    };
  }

  /** Sets the saved frames back, and the frames of `cleared` to their first state. */
  restore({ ranges }: MemMapState, cleared: readonly FrameRange[]): void {
    if (cleared.length > 0) {
      for (const column of this.columns())
        for (const [start, end] of cleared) clearColumn(column, start, end);
    }
    for (const saved of ranges) {
      if (saved.flags.length > FEW) this.restoreMany(saved);
      else this.restoreFew(saved);
    }
  }

  private restoreFew(saved: SavedFrames): void {
    const { start } = saved;
    for (let i = 0; i < saved.flags.length; i++) {
      this.refcount[start + i] = saved.refcount[i] ?? 0;
      this.mapcount[start + i] = saved.mapcount[i] ?? 0;
      this.flags[start + i] = saved.flags[i] ?? 0;
      this.mapping[start + i] = saved.mapping[i] ?? 0;
      this.index[start + i] = saved.index[i] ?? 0;
      this.private[start + i] = saved.private[i] ?? 0;
      this.pincount[start + i] = saved.pincount[i] ?? 0;
      this.mlockCount[start + i] = saved.mlockCount[i] ?? 0;
    }
  }

  private restoreMany(saved: SavedFrames): void {
    const { start } = saved;
    this.refcount.set(saved.refcount, start);
    this.mapcount.set(saved.mapcount, start);
    this.flags.set(saved.flags, start);
    this.mapping.set(saved.mapping, start);
    this.index.set(saved.index, start);
    this.private.set(saved.private, start);
    this.pincount.set(saved.pincount, start);
    this.mlockCount.set(saved.mlockCount, start);
  }

  /** Folds the state of the frames in `ranges` into `hash`. */
  hash(hash: number, ranges: readonly FrameRange[]): number {
    let h = hash;
    for (const column of this.columns())
      for (const [start, end] of ranges) h = hashWords(h, column, start, end);
    return h;
  }

  private columns(): readonly Column[] {
    const { refcount, mapcount, flags, mapping, index, pincount, mlockCount } = this;
    return [refcount, mapcount, flags, mapping, index, this.private, pincount, mlockCount];
  }
}
