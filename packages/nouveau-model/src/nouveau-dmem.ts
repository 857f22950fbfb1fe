import { HPAGE_PMD_ORDER, SpinLock, type Task } from '@hmm/kernel';
import { MEMORY_DEVICE_PRIVATE, NO_PFN, type DevPagemapOps } from '@hmm/mm';
import { memremapPages, zoneDeviceFolioInit } from '@hmm/migrate';
import { DMEM_CHUNK_NPAGES, type NouveauDmemChunk } from './nouveau-dmem-chunk.js';
import { nouveauDmemEvictChunk, nouveauDmemMigrateToRam } from './nouveau-dmem-home.js';
import type { NouveauDrm } from './nouveau-drv.js';
import { TP_CHUNK } from './tracepoints.js';

/**
 * The device memory of one GPU, as far as SVM uses it. Chunks of 2 MiB are added when the free list is empty and are
 * kept until the driver is unloaded; there is no reclaim and no eviction under pressure. Free pages are one stack for
 * the whole device, linked through the frames' `private` word, which for a page in use names its svmm. Free folios of 2 MiB
 * (from 6.19 on) are another; a folio that was split comes back page by page, and never becomes whole again.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem
 */
export class NouveauDmem {
  readonly drm: NouveauDrm;
  /** Chunks, oldest first. */
  readonly chunks: NouveauDmemChunk[] = [];
  /** Guards the free list. A plain spinlock: pages come back from under page-table locks. */
  private readonly lock: SpinLock;
  private freePages = NO_PFN;
  private freeFolios = NO_PFN;
  private maxChunks: number;
  private readonly ops: DevPagemapOps;
  /** Number of the chunk, from 1, by frame divided by 512. */
  private readonly chunkNumbers: Int32Array;

  constructor(drm: NouveauDrm) {
    this.drm = drm;
    this.lock = new SpinLock(drm.kernel.sched, 'dmem->lock');
    this.chunkNumbers = new Int32Array(Math.ceil(drm.memory.config.frames / DMEM_CHUNK_NPAGES));
    this.maxChunks = Math.floor(drm.gpu.memoryPages / DMEM_CHUNK_NPAGES);
    this.ops = {
      pageFree: (pfn) => {
        this.folioFree(pfn, 0);
      },
      folioFree: (folio, order) => {
        this.folioFree(folio, order);
      },
      folioSplit: (head, tail) => {
        this.folioSplit(head, tail);
      },
      migrateToRam: (vmf) => nouveauDmemMigrateToRam(this, vmf),
    };
  }

  /** Pages in use. */
  get used(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.callocated, 0);
  }

  /** Allows no more than `pages` pages of chunks from now on; false when there are more already. */
  limit(pages: number): boolean {
    const max = Math.floor(pages / DMEM_CHUNK_NPAGES);
    if (this.chunks.length > max) return false;
    this.maxChunks = max;
    return true;
  }

  /**
   * A page of device memory, or (order 9) a folio of 2 MiB, locked and with one reference, for `svmm`; {@link NO_PFN} when
   * there is none left.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_page_alloc_locked
   */
  pageAllocLocked(svmm: number, order = 0): number {
    const { memory } = this.drm;
    this.lock.lock();
    let pfn = this.popFree(order);
    this.lock.unlock();
    if (pfn === NO_PFN) pfn = this.chunkAlloc(order);
    if (pfn === NO_PFN) return NO_PFN;
    const chunk = this.chunkOf(pfn);
    if (chunk !== undefined) chunk.callocated += 2 ** order;
    zoneDeviceFolioInit(memory, pfn, order);
    memory.map.private[pfn] = svmm;
    return pfn;
  }

  /** Empties all chunks, as unloading the driver does. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_fini */
  *evictAll(): Task {
    for (const chunk of this.chunks) yield* nouveauDmemEvictChunk(this, chunk);
  }

  /** The chunk that frame `pfn` is in. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_page_to_chunk */
  chunkOf(pfn: number): NouveauDmemChunk | undefined {
    return this.chunks[(this.chunkNumbers[Math.floor(pfn / DMEM_CHUNK_NPAGES)] ?? 0) - 1];
  }

  /**
   * Adds a chunk: takes a range of the physical address space, allocates and pins 2 MiB of device memory, makes its
   * struct pages. All of it but the last page goes on the free list, lowest first; the last is returned. For order 9 the
   * whole chunk is.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_chunk_alloc
   */
  private chunkAlloc(order: number): number {
    const { kernel, memory, owner } = this.drm;
    if (this.chunks.length >= this.maxChunks || kernel.shouldFail('nouveau_dmem_chunk')) return NO_PFN;
    const pagemap = memremapPages(memory, {
      type: MEMORY_DEVICE_PRIVATE,
      nr: DMEM_CHUNK_NPAGES,
      owner,
      ops: this.ops,
    });
    if (typeof pagemap === 'number') return NO_PFN;
    const first = pagemap.start;
    this.chunks.push({ first, pagemap, callocated: 0 });
    this.chunkNumbers[Math.floor(first / DMEM_CHUNK_NPAGES)] = this.chunks.length;
    kernel.emit(TP_CHUNK, first, DMEM_CHUNK_NPAGES, this.chunks.length);
    if (order > 0) return first;
    const last = first + DMEM_CHUNK_NPAGES - 1;
    this.lock.lock();
    for (let pfn = first; pfn < last; pfn++) this.pushFree(pfn, 0);
    this.lock.unlock();
    return last;
  }

  /** The last reference of a page, or of a folio, is gone. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_page_free */
  private folioFree(pfn: number, order: number): void {
    const chunk = this.chunkOf(pfn);
    this.lock.lock();
    this.pushFree(pfn, order);
    if (chunk !== undefined) chunk.callocated -= 2 ** order;
    this.lock.unlock();
  }

  /** Each page of a folio that is split remembers its mirror. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_folio_split */
  private folioSplit(head: number, tail: number): void {
    const { map } = this.drm.memory;
    if (tail !== NO_PFN) map.private[tail] = map.private[head] ?? 0;
  }

  private popFree(order: number): number {
    const pfn = order === HPAGE_PMD_ORDER ? this.freeFolios : this.freePages;
    if (pfn === NO_PFN) return NO_PFN;
    const next = this.drm.memory.map.private[pfn] ?? NO_PFN;
    if (order === HPAGE_PMD_ORDER) this.freeFolios = next;
    else this.freePages = next;
    return pfn;
  }

  private pushFree(pfn: number, order: number): void {
    const { map } = this.drm.memory;
    map.private[pfn] = order === HPAGE_PMD_ORDER ? this.freeFolios : this.freePages;
    if (order === HPAGE_PMD_ORDER) this.freeFolios = pfn;
    else this.freePages = pfn;
  }
}
