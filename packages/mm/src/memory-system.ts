import { HmmError, type Kernel, type Task } from '@hmm/kernel';
import { declareState, ownState, PageTablePool } from '@hmm/kernel/internal';
import type { AddressSpace } from './address-space.js';
import type { AnonVma } from './anon-vma.js';
import type { DevPagemap } from './dev-pagemap.js';
import { Hstate } from './hstate.js';
import { LruBatches } from './lru-batches.js';
import { FIRST_PFN, MemMap } from './mem-map.js';
import { foldMemoryColumns, saveMemoryColumns } from './memory-columns.js';
import type { MmStruct } from './mm-struct.js';
import { PAGE_POISON, PageAllocator } from './page-alloc.js';
import { PageData } from './page-data.js';
import { SwapDevice } from './swapfile.js';

/** anon_vmas, and files, that can exist at once: `MemMap.mapping` has 16 bits. */
export const MAX_MAPPINGS = 65_535;

/** When anonymous memory gets huge pages. @kernel mm/huge_memory.c transparent_hugepage_flags */
export type ThpMode = 'never' | 'madvise' | 'always';

/** What a memory system is built with; every field has a default. */
export interface MemoryConfig {
  /** Frames in the whole pfn space, device memory included. */
  readonly frames: number;
  /** Frames of system memory; the pfn space above is for devices. */
  readonly systemFrames: number;
  /** Of these the last so many are the contiguous memory allocator's: lent to pages that can be moved, and no place for long-term pins. */
  readonly cmaFrames: number;
  /** Page tables that can exist at once. */
  readonly maxTables: number;
  /** Slots of the swap device; 0 for none. */
  readonly swapSlots: number;
  /** Page-table levels. */
  readonly levels: 4 | 5;
  readonly thp: ThpMode;
  /** Huge pages of 2 MiB set aside for `MAP_HUGETLB`. @kernel mm/hugetlb.c default_hstate_max_huge_pages */
  readonly nrHugepages: number;
  /**
   * Whether a frame of system memory that is freed is filled with `PAGE_POISON` and never handed out again, so that
   * a stale access shows. What a frame holds before anybody has written to it is the same.
   */
  readonly quarantine: boolean;
}

/** 4 GiB of system memory, 12 GiB of pfn space, 1,023 swap slots, THP by madvise. */
export const DEFAULT_MEMORY_CONFIG: MemoryConfig = {
  frames: 4 * 1024 * 1024,
  systemFrames: 1024 * 1024,
  cmaFrames: 0,
  maxTables: 64 * 1024,
  swapSlots: 1023,
  levels: 4,
  thp: 'madvise',
  nrHugepages: 0,
  quarantine: false,
};

const COLUMNS = 'large: saved as far as they are in use';

/**
 * All memory of a machine: frames and their contents, page tables, swap, the LRU batches, files and address spaces.
 * The kernel keeps these in globals and in `pg_data_t`; here they hang off one object, so that machines are independent.
 */
export class MemorySystem {
  /** What of it is state. */
  static readonly state = declareState(
    {
      kernel: 'constant',
      config: { outside: 'chosen when the machine is made' },
      map: { outside: COLUMNS },
      data: { outside: COLUMNS },
      tables: { outside: COLUMNS },
      pages: 'constant',
      hugetlb: 'constant',
      lru: 'constant',
      pagemaps: 'constant',
      mms: 'constant',
      anonVmas: 'constant',
      addressSpaces: 'constant',
      swap: 'constant',
      migrateDeviceCoherentFolio: { outside: 'set once, by who provides device memory' },
      pteObjects: 'constant',
      folioObjects: 'constant',
      dataObjects: 'constant',
      lruObject: 'constant',
      mappingObjects: 'constant',
    },
    ownState(MemorySystem, { save: saveMemoryColumns, fold: foldMemoryColumns }),
  );

  readonly kernel: Kernel;
  readonly config: MemoryConfig;
  /** `struct page` of every frame. */
  readonly map: MemMap;
  /** Contents of every frame. */
  readonly data: PageData;
  /** Page tables of all address spaces, and the page caches' trees. */
  readonly tables: PageTablePool;
  /** Free frames. */
  readonly pages: PageAllocator;
  /** Huge pages set aside. */
  readonly hugetlb: Hstate;
  /** Folios on their way to the LRU. */
  readonly lru = new LruBatches();
  /** Device memory, by first frame. */
  readonly pagemaps: DevPagemap[] = [];
  /** Address spaces that exist. */
  readonly mms: MmStruct[] = [];
  /** By id - 1; null where the id is free. `MemMap.mapping` names these with PG_anon … */
  readonly anonVmas: (AnonVma | null)[] = [];
  /** … and these without. */
  readonly addressSpaces: (AddressSpace | null)[] = [];

  /** Swap slots. */
  readonly swap: SwapDevice;
  /**
   * Moves a coherent device page, on which the caller has a reference, to system memory; 0 or a negative errno. Set by who
   * provides device memory.
   * @kernel mm/migrate_device.c migrate_device_coherent_folio (without: the work, which the provider of
   * device memory puts in)
   */
  migrateDeviceCoherentFolio: ((folio: number) => Task<number>) | undefined = undefined;
  /** First of the ids under which page-table entries, folios' state and pages' contents are observed. */
  readonly pteObjects: number;
  readonly folioObjects: number;
  readonly dataObjects: number;
  /** Id under which additions to the LRU batches are observed, and their draining. */
  readonly lruObject: number;
  /** First id of the locks of anon_vmas and, {@link MAX_MAPPINGS} + 1 further, of files. */
  readonly mappingObjects: number;

  constructor(kernel: Kernel, config: Partial<MemoryConfig> = {}) {
    this.kernel = kernel;
    this.config = { ...DEFAULT_MEMORY_CONFIG, ...config };
    this.map = new MemMap(kernel, this.config.frames);
    this.data = new PageData(this.config.frames, this.config.quarantine ? PAGE_POISON : 0);
    if (this.config.quarantine) for (let pfn = 0; pfn < FIRST_PFN; pfn++) this.data.fillPage(pfn, 0);
    this.tables = new PageTablePool(this.config.maxTables, this.config.levels);
    this.pages = new PageAllocator(this.map, this.config.systemFrames, this.config.cmaFrames);
    this.hugetlb = new Hstate(this.map, this.pages, this.config.nrHugepages);
    this.swap = new SwapDevice(this.config.swapSlots);
    this.pteObjects = kernel.allocIds(this.tables.lanes.length / 2);
    this.folioObjects = this.map.objects;
    this.lruObject = kernel.allocIds(1);
    this.dataObjects = kernel.allocIds(this.config.frames);
    this.mappingObjects = kernel.allocIds(2 * (MAX_MAPPINGS + 1));
  }

  /**
   * The lowest free id in `table`, from 1.
   * @throws HmmError `OUT_OF_MAPPINGS` beyond {@link MAX_MAPPINGS}.
   */
  mappingId(table: readonly (object | null)[]): number {
    const hole = table.indexOf(null);
    const id = (hole < 0 ? table.length : hole) + 1;
    if (id > MAX_MAPPINGS) throw new HmmError('OUT_OF_MAPPINGS', 'too many anon_vmas or files', { id });
    return id;
  }
}
