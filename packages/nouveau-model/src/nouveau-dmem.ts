import { SpinLock, type Task } from '@hmm/kernel';
import { MEMORY_DEVICE_PRIVATE, NO_PFN, type DevPagemapOps } from '@hmm/mm';
import { memremapPages, zoneDevicePageInit } from '@hmm/migrate';
import { DMEM_CHUNK_NPAGES, type NouveauDmemChunk } from './nouveau-dmem-chunk.js';
import { nouveauDmemEvictChunk, nouveauDmemMigrateToRam } from './nouveau-dmem-migrate.js';
import type { NouveauDrm } from './nouveau-drv.js';
import { TP_CHUNK } from './tracepoints.js';

/**
 * The device memory of one GPU, as far as SVM uses it. Chunks of 2 MiB are added when the free list is empty and are
 * kept until the driver is unloaded; there is no reclaim and no eviction under pressure. Free pages are one stack for
 * the whole device, linked through the frames' `private` word, which for a page in use names its svmm.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem
 */
export class NouveauDmem {
  readonly drm: NouveauDrm;
  /** Chunks, oldest first. */
  readonly chunks: NouveauDmemChunk[] = [];
  /** Guards the free list. A plain spinlock: pages come back from under page-table locks. */
  private readonly lock: SpinLock;
  private freePages = NO_PFN;
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
        this.pageFree(pfn);
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
   * A page of device memory, locked and with one reference, for `svmm`; {@link NO_PFN} when there is none left.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_page_alloc_locked
   */
  pageAllocLocked(svmm: number): number {
    const { memory } = this.drm;
    this.lock.lock();
    let pfn = this.freePages;
    if (pfn !== NO_PFN) this.freePages = memory.map.private[pfn] ?? NO_PFN;
    this.lock.unlock();
    if (pfn === NO_PFN) pfn = this.chunkAlloc();
    if (pfn === NO_PFN) return NO_PFN;
    const chunk = this.chunkOf(pfn);
    if (chunk !== undefined) chunk.callocated++;
    zoneDevicePageInit(memory, pfn);
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
   * struct pages. All of it but the last page goes on the free list, lowest first; the last is returned.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_chunk_alloc
   */
  private chunkAlloc(): number {
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
    const last = first + DMEM_CHUNK_NPAGES - 1;
    this.lock.lock();
    for (let pfn = first; pfn < last; pfn++) this.pushFree(pfn);
    this.lock.unlock();
    kernel.emit(TP_CHUNK, first, DMEM_CHUNK_NPAGES, this.chunks.length);
    return last;
  }

  /** A page's last reference is gone. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_page_free */
  private pageFree(pfn: number): void {
    const chunk = this.chunkOf(pfn);
    this.lock.lock();
    this.pushFree(pfn);
    if (chunk !== undefined) chunk.callocated--;
    this.lock.unlock();
  }

  private pushFree(pfn: number): void {
    this.drm.memory.map.private[pfn] = this.freePages;
    this.freePages = pfn;
  }
}
