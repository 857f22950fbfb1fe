import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, SpinLock, type Task } from '@hmm/kernel';
import { declareState, ownState } from '@hmm/kernel/internal';
import {
  allocPage,
  type DevPagemap,
  type DevPagemapOps,
  MEMORY_DEVICE_COHERENT,
  MEMORY_DEVICE_PRIVATE,
  type MemorySystem,
  type VmFault,
} from '@hmm/mm';
import { allocHugePage, folioPut, NO_PFN, PG_head, PG_zone_device_private } from '@hmm/mm/internal';
import { memremapPages, zoneDeviceFolioInit, zoneDevicePageInit } from '@hmm/migrate';
import type { Dmirror } from './dmirror.js';
import { TEST_DEVICE_BEHAVIOURS, type TestDeviceBehaviours } from './behaviours.js';
import { dmirrorDevmemFault } from './dmirror-migrate.js';
import { HMM_DMIRROR_MEMORY_DEVICE_PRIVATE } from './uapi.js';

/** Memory of a device comes in chunks of this many pages (256 MiB). @kernel lib/test_hmm.c DEVMEM_CHUNK_SIZE */
export const DEVMEM_CHUNK_PAGES = 65_536;

/** What is the same for all devices of the driver, and can be set. */
export interface DmirrorOptions {
  /** Pages of a chunk of device memory. */
  readonly chunkPages: number;
  /**
   * Whether the device is free of the real one's races: it lets no event pass by, and after a migration it maps by
   * the retry protocol what is there, instead of trusting what it was about to map.
   */
  readonly corrected: boolean;
}

const CHOSEN = { outside: 'chosen when the machine is made' };
const STACK = 'the whole stack is folded';
const STATISTICS = 'statistics, which decide nothing';

/** A chunk of device memory. @kernel lib/test_hmm.c dmirror_chunk */
export interface DmirrorChunk {
  readonly pagemap: DevPagemap;
  /** Of what it is made: 0 for pages, 9 for huge folios. */
  readonly order: number;
  /** Being given back: its free pages are not used again. */
  remove: boolean;
}

/**
 * One of the test devices: its memory, and who has it open. Free pages, and free large folios, are stacks threaded through
 * `MemMap.private` (`zone_device_data`), so what was freed last is used first. Private pages hold no data: while in use, `private`
 * names the page of system memory that does, and that page's `private` the mirror that brought it here.
 * @kernel lib/test_hmm.c dmirror_device
 */
export class DmirrorDevice implements DevPagemapOps {
  /** What of it is state. */
  static readonly state = declareState(
    {
      system: 'constant',
      options: CHOSEN,
      minor: 'constant',
      zoneDeviceType: 'constant',
      owner: 'constant',
      does: CHOSEN,
      chunks: 'constant',
      freePages: { saved: STACK },
      freeFolios: { saved: STACK },
      calloc: { saved: STATISTICS },
      cfree: { saved: STATISTICS },
      parts: 'count',
      mirrors: 'constant',
      mirrorsObject: 'constant',
      lock: 'constant',
    },
    ownState(DmirrorDevice, {
      fold: (device, hash) => {
        const { map } = device.system;
        for (const top of [device.freeFolios, device.freePages]) {
          for (let page = top; page !== NO_PFN; page = map.private[page] ?? NO_PFN) hash.frame(page);
          hash.word(-2);
        }
      },
    }),
  );

  readonly system: MemorySystem;
  readonly options: DmirrorOptions;
  /** Number of the device, 0 … 3. */
  readonly minor: number;
  /** `HMM_DMIRROR_MEMORY_*`. */
  readonly zoneDeviceType: number;
  /** What its memory and its events carry. */
  readonly owner: number;
  /** What the driver of this release does. */
  readonly does: TestDeviceBehaviours;
  readonly chunks: DmirrorChunk[] = [];
  /** Top of the stack of free pages, {@link NO_PFN} for none. */
  freePages = NO_PFN;
  /** Top of the stack of free large folios. */
  freeFolios = NO_PFN;
  /** Pages in use that were parts of a large folio when they came here; the memory that backs one names the mirror negated. */
  parts = 0;
  /** Pages handed out and pages given back, since the chunks were made. */
  calloc = 0;
  cfree = 0;
  /** Mirrors by number; a page's backing names one. */
  readonly mirrors: (Dmirror | undefined)[];
  /** Under which {@link mirrors} is observed. */
  readonly mirrorsObject: number;
  private readonly lock: SpinLock;

  constructor(
    system: MemorySystem,
    minor: number,
    zoneDeviceType: number,
    mirrors: (Dmirror | undefined)[],
    options: DmirrorOptions,
  ) {
    this.system = system;
    this.does = system.kernel.behaviours(TEST_DEVICE_BEHAVIOURS);
    this.options = options;
    this.minor = minor;
    this.zoneDeviceType = zoneDeviceType;
    this.owner = system.kernel.allocIds(1);
    this.mirrors = mirrors;
    this.mirrorsObject = system.kernel.allocIds(1);
    this.lock = new SpinLock(system.kernel.sched, 'dmirror_device.lock');
    this.allocateChunk(0);
  }

  /** Whether the CPU cannot address the device's memory. */
  get isPrivate(): boolean {
    return this.zoneDeviceType === HMM_DMIRROR_MEMORY_DEVICE_PRIVATE;
  }

  /**
   * Adds a chunk, whose pages, or whose folios, go on their stack in ascending order. Coherent memory has one range of
   * addresses, and so one chunk.
   * @kernel lib/test_hmm.c dmirror_allocate_chunk (without: the search for free physical addresses, growth
   * of the array of chunks)
   */
  private allocateChunk(order: number): boolean {
    const { system } = this;
    const { chunkPages } = this.options;
    const step = 1 << order;
    const taken = order > 0 ? this.chunks.length > 0 : this.chunks.some((chunk) => chunk.order > 0);
    if (chunkPages < step || (!this.isPrivate && taken)) return false;
    const pagemap = memremapPages(system, {
      type: this.isPrivate ? MEMORY_DEVICE_PRIVATE : MEMORY_DEVICE_COHERENT,
      nr: chunkPages,
      owner: this.owner,
      ops: this,
    });
    if (typeof pagemap === 'number') return false;
    this.chunks.push({ pagemap, remove: false, order });
    for (let pfn = pagemap.start; pfn + step <= pagemap.start + pagemap.nr; pfn += step)
      this.pushFree(pfn, order);
    return true;
  }

  private pushFree(folio: number, order: number): void {
    const { map } = this.system;
    map.private[folio] = order > 0 ? this.freeFolios : this.freePages;
    if (order > 0) this.freeFolios = folio;
    else this.freePages = folio;
  }

  /** The folio that was freed last; a new chunk if there is none. {@link NO_PFN} when no chunk can be had. */
  private popFree(order: number): number {
    const top = order > 0 ? this.freeFolios : this.freePages;
    if (top === NO_PFN) return this.allocateChunk(order) ? this.popFree(order) : NO_PFN;
    const next = this.system.map.private[top] ?? NO_PFN;
    if (order > 0) this.freeFolios = next;
    else this.freePages = next;
    return top;
  }

  /**
   * A device folio of 2^`order` pages (0 or 9) ready as the destination of a migration, with the memory that backs it.
   * @returns {@link NO_PFN} when memory is used up. @kernel lib/test_hmm.c dmirror_devmem_alloc_page (all)
   */
  allocDevmemPage(order = 0): number {
    const { system } = this;
    const { map } = system;
    let backing = NO_PFN;
    if (this.isPrivate) {
      backing = order > 0 ? allocHugePage(system) : allocPage(system);
      if (backing === NO_PFN) return NO_PFN;
    }
    this.lock.lock();
    const folio = this.popFree(order);
    if (folio !== NO_PFN) this.calloc += 1 << order;
    this.lock.unlock();
    if (folio === NO_PFN) {
      if (backing !== NO_PFN) folioPut(system, backing);
      return NO_PFN;
    }
    if (order > 0) zoneDeviceFolioInit(system, folio, order);
    else zoneDevicePageInit(system, folio);
    map.private[folio] = backing;
    return folio;
  }

  /** The page that holds the data of a page of any device. @kernel lib/test_hmm.c BACKING_PAGE */
  backingPage(page: number): number {
    const { map } = this.system;
    if (!map.test(page, PG_zone_device_private)) return page;
    const folio = map.folio(page);
    const backing = map.private[folio] ?? NO_PFN;
    return backing === NO_PFN ? NO_PFN : backing + (page - folio);
  }

  /** Number of the mirror that the memory at `backing` was taken for. */
  mirrorOf(backing: number): number {
    return Math.abs(this.system.map.private[backing] ?? 0);
  }

  /** Pages of the memory that backs `page`, or of a coherent page's folio, as an order: 0 or 9. */
  backingOrder(page: number): number {
    const { map } = this.system;
    return map.test(map.folio(this.backingPage(page)), PG_head) ? HPAGE_PMD_ORDER : 0;
  }

  /** A small page, before there were large ones. */
  pageFree(page: number): void {
    this.folioFree(page, 0);
  }

  /** @kernel lib/test_hmm.c dmirror_devmem_free (all) */
  folioFree(folio: number, order: number): void {
    const { map } = this.system;
    const backing = map.test(folio, PG_zone_device_private) ? (map.private[folio] ?? NO_PFN) : NO_PFN;
    if (backing !== NO_PFN) {
      if ((map.private[backing] ?? 0) < 0) this.parts--;
      folioPut(this.system, backing);
    }
    this.lock.lock();
    this.cfree += 1 << order;
    const removed = this.chunks.some(
      ({ pagemap, remove }) => remove && folio >= pagemap.start && folio < pagemap.start + pagemap.nr,
    );
    if (!removed) this.pushFree(folio, order);
    this.lock.unlock();
  }

  /**
   * The page `tail` of the large folio `head` becomes a page of its own, and so does the page that backs it; last,
   * with {@link NO_PFN}, what is left at the head. @kernel lib/test_hmm.c dmirror_devmem_folio_split
   */
  folioSplit(head: number, tail: number): void {
    const { map } = this.system;
    const backing = map.private[head] ?? NO_PFN;
    if (tail === NO_PFN) {
      map.private[backing] = -this.mirrorOf(backing);
      this.parts += HPAGE_PMD_NR;
      map.clear(backing, PG_head);
      return;
    }
    const part = backing + (tail - head);
    map.flags[part] = (map.flags[backing] ?? 0) & ~PG_head;
    map.refcount[part] = 1;
    map.private[part] = -this.mirrorOf(backing);
    map.private[tail] = part;
  }

  /** @kernel lib/test_hmm.c dmirror_devmem_fault (all) */
  migrateToRam(vmf: VmFault): Task<number> {
    return dmirrorDevmemFault(this, vmf);
  }
}
