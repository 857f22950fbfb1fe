import { PAGE_SIZE, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  MIGRATE_PFN_MIGRATE,
  memremapPages,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  zoneDevicePageInit,
} from '@hmm/migrate';
import {
  allocPage,
  type DevPagemap,
  MEMORY_DEVICE_COHERENT,
  MEMORY_DEVICE_PRIVATE,
  type MemorySystem,
} from '@hmm/mm';
import { folioPut, NO_PFN } from '@hmm/mm/internal';
import type { UvmDriver } from './uvm-driver.js';
import { evictBlock } from './uvm-eviction.js';
import { uvmHmmMigrateToRam } from './uvm-hmm-cpu-fault.js';
import { maskClear, maskSet, newMask } from './uvm-page-mask.js';
import { UVM_CHUNK_PAGES_2M } from './uvm-pmm-chunk-size.js';
import { packUvmEvent, UvmEventTypeMigration } from './uvm-tools.js';
import { UVM_ID_CPU, UVM_ID_GPU, type UvmProcessorId, UvmEventMigrationCauseEviction } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';

/** Who a device page was handed out for. */
interface PageOwner {
  readonly block: UvmVaBlock;
  readonly page: number;
}

/**
 * Device memory as the kernel sees it: one private pagemap over all of it ("nvidia-uvm-hmm"), frame `start + f` for frame `f`
 * of the physical memory manager.
 */
export class UvmHmmDevmem {
  /** What of it is state. */
  static readonly state = declareState({
    driver: 'constant',
    memory: 'constant',
    owner: 'constant',
    pagemap: 'constant',
    pageOwners: 'constant',
  });

  readonly driver: UvmDriver;
  readonly memory: MemorySystem;
  /** The driver, as an owner of device memory and of notifier events. */
  readonly owner: number;
  /** The range; undefined where the machine has no frame numbers left for it. */
  readonly pagemap: DevPagemap | undefined;
  private readonly pageOwners = new Map<number, PageOwner>();

  /** @param coherent the CPU maps device memory too: what is in it stays in the process's page table. */
  constructor(driver: UvmDriver, memory: MemorySystem, coherent = false) {
    this.driver = driver;
    this.memory = memory;
    this.owner = driver.kernel.allocIds(1);
    if (driver.kernel.shouldFail('request_free_mem_region')) {
      driver.log.push('nvidia-uvm: warning: no range for device memory, so system memory stays on the host');
      return;
    }
    const made = memremapPages(memory, {
      type: coherent ? MEMORY_DEVICE_COHERENT : MEMORY_DEVICE_PRIVATE,
      nr: driver.gpu.pmm.roots * UVM_CHUNK_PAGES_2M,
      owner: this.owner,
      ops: {
        pageFree: (pfn) => {
          driver.calledBack();
          this.pageFree(pfn);
        },
        migrateToRam: (vmf) => driver.calledBackTask(uvmHmmMigrateToRam(this, vmf)),
      },
    });
    this.pagemap = typeof made === 'number' ? undefined : made;
  }

  /** A page of device memory for page `page` of `block`, locked, with one reference; {@link NO_PFN} without room. */
  alloc(block: UvmVaBlock, page: number): number {
    const { pagemap, driver } = this;
    if (pagemap === undefined) return NO_PFN;
    const frame = driver.gpu.pmm.allocChunk(block, 1, driver.clock.time());
    if (frame < 0) return NO_PFN;
    const pfn = pagemap.start + frame;
    zoneDevicePageInit(this.memory, pfn);
    this.pageOwners.set(pfn, { block, page });
    return pfn;
  }

  /** Whether frame `pfn` is device memory. */
  holds(pfn: number): boolean {
    const { pagemap } = this;
    return pagemap !== undefined && pfn >= pagemap.start && pfn < pagemap.start + pagemap.nr;
  }

  /** The GPU whose memory frame `pfn` is of; the CPU for one of system memory. */
  processorOf(pfn: number): UvmProcessorId {
    return this.holds(pfn) ? UVM_ID_GPU : UVM_ID_CPU;
  }

  /** The page that device frame `pfn` was handed out for. */
  ownerOf(pfn: number): PageOwner | undefined {
    return this.pageOwners.get(pfn);
  }

  /** Makes room for `pages` pages, evicting root chunks; false when that much cannot be had. */
  *ensureRoom(pages: number): Task<boolean> {
    while (this.driver.gpu.pmm.room < pages) if (!(yield* this.evictOne())) return false;
    return true;
  }

  /**
   * Evicts one root chunk, of managed or of system memory; false when none can be. `forced`: also of memory that the driver leaves
   * where it is, as the kernel does when the node is to be emptied.
   */
  *evictOne(forced = false): Task<boolean> {
    const { driver } = this;
    if (!driver.global.oversubscription) return false;
    const victim = driver.gpu.pmm.pickVictim(undefined, true, forced);
    if (victim === undefined) return false;
    const before = driver.gpu.pmm.allocated;
    driver.tools.counters.evictions++;
    const isManaged = (block: UvmVaBlock): boolean => block.hmm === undefined && !block.unevictable;
    for (const block of victim.owners)
      if (isManaged(block)) evictBlock(driver.gpu.reclaimContext, driver.gpu, block);
    if (!victim.owners.every(isManaged)) yield* this.evictRoot(victim.root);
    return driver.gpu.pmm.allocated < before;
  }

  /** Brings every page of a root chunk home, whoever it belongs to; what is locked just now stays. */
  *evictRoot(root: number): Task {
    const { memory, pagemap, driver } = this;
    if (pagemap === undefined) return;
    const src = new Int32Array(UVM_CHUNK_PAGES_2M);
    const dst = new Int32Array(UVM_CHUNK_PAGES_2M);
    yield* migrateDeviceRange(memory, src, pagemap.start + root * UVM_CHUNK_PAGES_2M, UVM_CHUNK_PAGES_2M);
    let moved = 0;
    for (const [i, slot] of src.entries()) {
      if ((slot & MIGRATE_PFN_MIGRATE) === 0) continue;
      const page = allocPage(memory);
      if (page === NO_PFN) continue;
      memory.map.tryLock(page);
      this.leaveGpu(migratePfnToPage(slot), true);
      memory.data.copyPage(page, migratePfnToPage(slot));
      dst[i] = migratePfn(page);
      moved++;
    }
    yield* migrateDevicePages(memory, src, dst, UVM_CHUNK_PAGES_2M);
    yield* migrateDeviceFinalize(memory, src, dst, UVM_CHUNK_PAGES_2M);
    driver.tools.counters.evictedPages += moved;
    driver.tools.counters.movedPages += moved;
    const bytes = driver.tools.counters.bytes[UvmEventMigrationCauseEviction];
    if (bytes !== undefined) bytes.toHost += moved * PAGE_SIZE;
    if (moved > 0) yield* driver.kernel.sched.delay(driver.gpu.hw.copyEngine.book(moved * PAGE_SIZE, false));
  }

  /** The GPU loses its mapping of what is in device frame `pfn`, and the data is not there any more. */
  leaveGpu(pfn: number, evicted: boolean): void {
    const owner = this.pageOwners.get(pfn);
    if (owner === undefined || owner.block.unevictable) return;
    const { block, page } = owner;
    const mask = newMask();
    maskSet(mask, page);
    uvmVaBlockUnmap(this.driver.gpu.reclaimContext, block, UVM_ID_GPU, mask);
    maskClear(block.gpu.resident, page);
    maskSet(block.cpu.resident, page);
    if (!evicted) return;
    maskSet(block.gpu.evicted, page);
    const value = packUvmEvent(UvmEventMigrationCauseEviction, UVM_ID_GPU, UVM_ID_CPU);
    this.driver.tools.record(UvmEventTypeMigration, this.driver.clock.time(), block.start + page, 1, value);
  }

  /** Brings home everything that was handed out for blocks that `mine` accepts. */
  *evictBlocks(mine: (block: UvmVaBlock) => boolean): Task {
    const roots = new Set<number>();
    const start = this.pagemap?.start ?? 0;
    for (const [pfn, owner] of this.pageOwners) {
      if (mine(owner.block)) roots.add(Math.floor((pfn - start) / UVM_CHUNK_PAGES_2M));
    }
    for (const root of roots) yield* this.evictRoot(root);
  }

  /** Gives back a page that was to be a destination and is not needed. */
  drop(pfn: number): void {
    this.memory.map.unlock(pfn);
    folioPut(this.memory, pfn);
  }

  private pageFree(pfn: number): void {
    const owner = this.pageOwners.get(pfn);
    if (owner !== undefined) maskClear(owner.block.gpu.resident, owner.page);
    this.pageOwners.delete(pfn);
    this.driver.gpu.pmm.freeChunk(pfn - (this.pagemap?.start ?? 0), 1);
  }
}
