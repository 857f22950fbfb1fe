import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, SpinLock, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { MEMORY_DEVICE_PRIVATE, type DevPagemapOps } from '@hmm/mm';
import { NO_PFN } from '@hmm/mm/internal';
import { memremapPages, zoneDeviceFolioInit } from '@hmm/migrate';
import { dmemChunkNpages, dmemSmallPages, type NouveauDmemChunk } from './nouveau-dmem-chunk.js';
import { nouveauDmemEvictChunk, nouveauDmemMigrateToRam } from './nouveau-dmem-home.js';
import type { NouveauDrm } from './nouveau-drv.js';
import { TP_CHUNK, TP_PAGE_FREE } from './tracepoints.js';

/**
 * The device memory of one GPU, as far as SVM uses it. Chunks are added when the free list is empty and are
 * kept until the driver is unloaded; there is no reclaim and no eviction under pressure. Free pages are one stack for
 * the whole device, linked through the frames' `private` word, which for a page in use names its svmm. Free folios of 2 MiB,
 * where there are any, are another; a folio that was split comes back page by page, and never becomes whole again.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem
 */
export class NouveauDmem {
  /** What of it is state. */
  static readonly state = declareState({
    drm: 'constant',
    chunks: 'constant',
    lock: 'constant',
    freePages: 'frame',
    freeFolios: 'frame',
    chunkPages: 'constant',
    smallPages: 'constant',
    ops: { outside: 'functions' },
    chunkNumbers: 'constant',
  });

  readonly drm: NouveauDrm;
  /** Chunks, oldest first. */
  readonly chunks: NouveauDmemChunk[] = [];
  /** Guards the free list. A plain spinlock: pages come back from under page-table locks. */
  private readonly lock: SpinLock;
  private freePages = NO_PFN;
  private freeFolios = NO_PFN;
  private readonly chunkPages: number;
  private readonly smallPages: number;
  private readonly ops: DevPagemapOps;
  /** Number of the chunk, from 1, by frame divided by the pages of a chunk's smallest unit, 512. */
  private readonly chunkNumbers: Int32Array;

  constructor(drm: NouveauDrm) {
    this.drm = drm;
    this.lock = new SpinLock(drm.kernel.sched, 'dmem->lock');
    this.chunkPages = dmemChunkNpages(drm);
    this.smallPages = dmemSmallPages(drm);
    this.chunkNumbers = new Int32Array(Math.ceil(drm.memory.config.frames / HPAGE_PMD_NR));
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
      migrateToRam: (vmf) => drm.calledBackTask(nouveauDmemMigrateToRam(this, vmf)),
    };
  }

  /** Pages in use. */
  get used(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.callocated, 0);
  }

  /**
   * A page of device memory, or (order 9) a folio of 2 MiB, locked and with one reference, for `svmm`; {@link NO_PFN} when
   * there is none left.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_page_alloc_locked (all)
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

  /**
   * Empties all chunks, as unloading the driver does.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_fini (without: the end of the chunks
   * themselves)
   */
  *evictAll(): Task {
    for (const chunk of this.chunks) yield* nouveauDmemEvictChunk(this, chunk);
  }

  /**
   * The chunk that frame `pfn` is in.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_page_to_chunk (all)
   */
  chunkOf(pfn: number): NouveauDmemChunk | undefined {
    return this.chunks[(this.chunkNumbers[Math.floor(pfn / HPAGE_PMD_NR)] ?? 0) - 1];
  }

  /**
   * The page of device memory behind frame `pfn`.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_page_addr (all)
   */
  vramPage(pfn: number): number {
    const chunk = this.chunkOf(pfn);
    return chunk === undefined ? -1 : chunk.vram + pfn - chunk.first;
  }

  /**
   * Adds a chunk, of pages or of folios: takes a range of the physical address space, allocates and pins device memory, makes
   * its struct pages. All of it goes on the free list, lowest first; what is on top then is returned.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_chunk_alloc (without: pins that fail)
   */
  private chunkAlloc(order: number): number {
    const { kernel, memory, owner, device } = this.drm;
    const nr = this.chunkPages;
    if (kernel.shouldFail('nouveau_dmem_chunk')) return NO_PFN;
    const vram = device.vramNew(nr);
    if (vram < 0) return NO_PFN;
    const pagemap = memremapPages(memory, { type: MEMORY_DEVICE_PRIVATE, nr, owner, ops: this.ops });
    if (typeof pagemap === 'number') {
      device.vramDel(vram, nr);
      return NO_PFN;
    }
    const first = pagemap.start;
    this.chunks.push({ first, vram, pagemap, callocated: 0 });
    this.chunkNumbers.fill(
      this.chunks.length,
      Math.floor(first / HPAGE_PMD_NR),
      Math.ceil((first + nr) / HPAGE_PMD_NR),
    );
    kernel.emit(TP_CHUNK, first, nr, this.chunks.length);
    this.lock.lock();
    if (order > 0) for (let pfn = first; pfn < first + nr; pfn += HPAGE_PMD_NR) this.pushFree(pfn, order);
    else for (let pfn = first; pfn < first + this.smallPages; pfn++) this.pushFree(pfn, 0);
    const given = this.popFree(order);
    this.lock.unlock();
    return given;
  }

  /**
   * The last reference of a page, or of a folio, is gone.
   * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_page_free (all)
   */
  private folioFree(pfn: number, order: number): void {
    const { kernel } = this.drm;
    this.drm.calledBack();
    const chunk = this.chunkOf(pfn);
    if (kernel.trace.on) kernel.emit(TP_PAGE_FREE, pfn, 2 ** order, 0);
    this.lock.lock();
    this.pushFree(pfn, order);
    if (chunk !== undefined) chunk.callocated -= 2 ** order;
    this.lock.unlock();
  }

  /** Each page of a folio that is split remembers its mirror. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_folio_split */
  private folioSplit(head: number, tail: number): void {
    this.drm.calledBack();
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
