// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { cpuTranslate } from './access.js';
export { AddressSpace } from './address-space.js';
export { anonVmaPrepare } from './anon-vma.js';
export { mmputFast } from './exit-mmap.js';
export { FAULT_FLAG_ALLOW_RETRY, FAULT_REPEAT_NS, VM_FAULT_RETRY } from './fault.js';
export { folioLock, migrationEntryWait } from './folio-lock.js';
export { copyHighpage } from './highmem.js';
export { memorySettings } from './memory-settings.js';
export { folioMigrateMapping } from './migrate.js';
export { userfaultfdCopy, userfaultfdZeropage } from './mfill-atomic.js';
export {
  newUserfaultfd,
  UFFDIO_REGISTER_MODE_MISSING,
  type UserfaultfdCtx,
  userfaultfdCtxRead,
  userfaultfdRegister,
  userfaultfdRelease,
  userfaultfdUnregister,
  type UserfaultfdWait,
  wakeUserfault,
} from './userfaultfd.js';
export { pmdTransHuge, splitHugePmd } from './huge-memory.js';
export {
  FIRST_PFN,
  HUGE_ZERO_PFN,
  NO_PFN,
  PG_active,
  PG_anon,
  PG_anon_exclusive,
  PG_dirty,
  PG_free,
  PG_head,
  PG_hugetlb,
  PG_locked,
  PG_lru,
  PG_migrated,
  PG_referenced,
  PG_reserved,
  PG_swapcache,
  PG_unevictable,
  PG_uptodate,
  PG_writeback,
  PG_zone_device,
  PG_zone_device_coherent,
  PG_zone_device_private,
  ZERO_PFN,
} from './mem-map.js';
export { pagePgmap, pagemapOf, pgmapChannel } from './memremap.js';
export { doMmap } from './mmap.js';
export { mmgetNotZero } from './mmget.js';
export { accessData, accessFolio, accessPte, accessTables, accessWalk } from './observe.js';
export { oomReapTaskMm } from './oom-kill.js';
export { PAGE_POISON, allocHugePage, allocZeroedPage, folioPut } from './page-alloc.js';
export { findPmd } from './page-walk.js';
export { mkPte } from './pte-make.js';
export {
  PTE_DIRTY,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_HWPOISON,
  PTE_TYPE_MARKER,
  PTE_TYPE_MASK,
  PTE_TYPE_MIGRATION,
  PTE_TYPE_SWAP,
  PTE_WRITE,
  PTE_YOUNG,
  isDeviceExclusivePte,
  isDevicePrivatePte,
  isHuge,
  isMigrationPte,
  isSwapPte,
  ptePresent,
  pteWrite,
} from './pte.js';
export { removeMigrationPtes, tryRemoveMigrationPtes } from './remove-migration-ptes.js';
export { folioNrPages, rmapWalk } from './rmap-walk.js';
export {
  folioAddNewAnonRmap,
  folioAddNewAnonRmapPmd,
  folioMapcount,
  folioMapped,
  folioRemoveRmapPte,
  folioTryShareAnonRmapPte,
} from './rmap.js';
export { addressSpacePut, shmemFileSetup } from './shmem.js';
export { folioSplitUnmapped, splitFolio } from './split-folio.js';
export { folioAddLru, folioAddLruVma, lruAddDrain, lruAddDrainTask } from './swap.js';
export { folioFreeSwap } from './swapfile.js';
export { Tlb, cpuTouch } from './tlb.js';
export { migrationEntryFlags, setPmdMigrationEntry, tryToMigrate } from './try-to-migrate.js';
export { vmInsertPage } from './vm-insert-page.js';
export { findVmaIntersection } from './vma-set.js';
export type { VmOperations } from './vma.js';
export { folioIsolateLru, reclaimPages } from './vmscan.js';
