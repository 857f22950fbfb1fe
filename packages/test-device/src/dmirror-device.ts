import { SpinLock, type Task } from '@hmm/kernel';
import {
  allocPage,
  type DevPagemap,
  type DevPagemapOps,
  folioPut,
  MEMORY_DEVICE_COHERENT,
  MEMORY_DEVICE_PRIVATE,
  type MemorySystem,
  NO_PFN,
  PG_zone_device_private,
  type VmFault,
} from '@hmm/mm';
import { memremapPages, zoneDevicePageInit } from '@hmm/migrate';
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

/** A chunk of device memory. @kernel lib/test_hmm.c dmirror_chunk */
export interface DmirrorChunk {
  readonly pagemap: DevPagemap;
  /** Being given back: its free pages are not used again. */
  remove: boolean;
}

/**
 * One of the test devices: its memory, and who has it open. Free pages are a stack threaded through `MemMap.private`
 * (`zone_device_data`), so the page freed last is used first. Private pages hold no data: while in use, `private`
 * names the page of system memory that does, and that page's `private` the mirror that brought it here.
 * @kernel lib/test_hmm.c dmirror_device
 */
export class DmirrorDevice implements DevPagemapOps {
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
    this.allocateChunk();
  }

  /** Whether the CPU cannot address the device's memory. */
  get isPrivate(): boolean {
    return this.zoneDeviceType === HMM_DMIRROR_MEMORY_DEVICE_PRIVATE;
  }

  /** Adds a chunk, whose pages go on the stack in ascending order. @kernel lib/test_hmm.c dmirror_allocate_chunk */
  private allocateChunk(): boolean {
    const { system } = this;
    const pagemap = memremapPages(system, {
      type: this.isPrivate ? MEMORY_DEVICE_PRIVATE : MEMORY_DEVICE_COHERENT,
      nr: this.options.chunkPages,
      owner: this.owner,
      ops: this,
    });
    if (typeof pagemap === 'number') return false;
    this.chunks.push({ pagemap, remove: false });
    const { map } = system;
    for (let pfn = pagemap.start; pfn < pagemap.start + pagemap.nr; pfn++) {
      map.private[pfn] = this.freePages;
      this.freePages = pfn;
    }
    return true;
  }

  /**
   * A device page ready as the destination of a migration, with the page that backs it.
   * @returns {@link NO_PFN} when memory is used up. @kernel lib/test_hmm.c dmirror_devmem_alloc_page
   */
  allocDevmemPage(): number {
    const { system } = this;
    const { map } = system;
    const backing = this.isPrivate ? allocPage(system) : NO_PFN;
    if (this.isPrivate && backing === NO_PFN) return NO_PFN;
    this.lock.lock();
    if (this.freePages === NO_PFN && !this.allocateChunk()) {
      this.lock.unlock();
      if (backing !== NO_PFN) folioPut(system, backing);
      return NO_PFN;
    }
    const page = this.freePages;
    this.freePages = map.private[page] ?? NO_PFN;
    this.calloc++;
    this.lock.unlock();
    zoneDevicePageInit(system, page);
    map.private[page] = backing;
    return page;
  }

  /** The device's memory as numbers: pages in use, and the stack of free ones. See `MirrorOperations.foldState`. */
  foldState(fold: (word: number) => void, name: (pfn: number) => number): void {
    const { map } = this.system;
    fold(-2);
    for (const { pagemap, remove } of this.chunks) {
      fold(remove ? 1 : 0);
      fold(pagemap.live);
    }
    for (let page = this.freePages; page !== NO_PFN; page = map.private[page] ?? NO_PFN) fold(name(page));
  }

  /** The page that holds the data of a page of any device. @kernel lib/test_hmm.c BACKING_PAGE */
  backingPage(page: number): number {
    const { map } = this.system;
    return map.test(page, PG_zone_device_private) ? (map.private[page] ?? NO_PFN) : page;
  }

  /** @kernel lib/test_hmm.c dmirror_devmem_free */
  pageFree(page: number): void {
    const { map } = this.system;
    const backing = this.backingPage(page);
    if (backing !== page && backing !== NO_PFN) folioPut(this.system, backing);
    this.lock.lock();
    this.cfree++;
    const removed = this.chunks.some(
      ({ pagemap, remove }) => remove && page >= pagemap.start && page < pagemap.start + pagemap.nr,
    );
    if (!removed) {
      map.private[page] = this.freePages;
      this.freePages = page;
    }
    this.lock.unlock();
  }

  /** @kernel lib/test_hmm.c dmirror_devmem_fault */
  migrateToRam(vmf: VmFault): Task<number> {
    return dmirrorDevmemFault(this, vmf);
  }
}
