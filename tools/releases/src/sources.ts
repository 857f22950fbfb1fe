/**
 * Where the releases that were not recorded were looked up: for each row the functions of 6.1 (rc7 and 6.1.10, which agree) and of
 * 6.19 that decide it, and what is in them. What is missing could not be decided by reading.
 */
export interface Source {
  readonly '6.1'?: string;
  readonly '6.19'?: string;
}

/** By row. Each text names a file and a function; the columns of the tables say whether the behaviour is there. */
export const SOURCES: Readonly<Record<string, Source>> = {
  hugeZeroPageReplaced: {
    '6.1': 'mm/huge_memory.c do_huge_pmd_wp_page splits the entry of the huge zero page',
    '6.19': 'mm/huge_memory.c do_huge_zero_wp_pmd',
  },
  reusesPartsOfLargeFolios: {
    '6.1': 'mm/memory.c do_wp_page asks for a single reference, which counts every part that is mapped',
    '6.19': 'mm/memory.c __wp_can_reuse_large_anon_folio',
  },
  cowCountsBatch: {
    '6.1': 'mm/memory.c do_wp_page gives up above three references',
    '6.19': 'mm/memory.c wp_can_reuse_anon_folio gives up above three references',
  },
  swapinThroughCache: {
    '6.1': 'mm/memory.c do_swap_page passes the cache by where one entry is left',
    '6.19': 'mm/memory.c do_swap_page passes the cache by where one entry is left',
  },
  swapinOwnIfMarked: {
    '6.1': 'mm/memory.c do_swap_page takes a sole reference for ownership',
    '6.19': 'mm/memory.c do_swap_page takes a sole reference for ownership',
  },
  swapinDrainsLru: {
    '6.1': 'mm/memory.c do_swap_page calls lru_add_drain',
    '6.19': 'mm/memory.c do_swap_page calls lru_add_drain',
  },
  mremapMovesSeveral: {
    '6.1': 'mm/mremap.c vma_to_resize takes one VMA',
    '6.19': 'mm/mremap.c remap_move',
  },
  mremapChecksSourceFirst: {
    '6.1': 'mm/mremap.c mremap_to unmaps the target before vma_to_resize',
    '6.19': 'mm/mremap.c check_prep_vma',
  },
  mergesIntoUnfaulted: {
    '6.1': 'mm/mmap.c is_mergeable_anon_vma wants a chain of one in the neighbour',
    '6.19': 'mm/vma.c is_mergeable_anon_vma',
  },
  unmapDrainsLru: {
    '6.1': 'mm/mmap.c unmap_region, exit_mmap and mm/memory.c zap_page_range_single call lru_add_drain',
    '6.19':
      'mm/vma.c unmap_region, mm/mmap.c exit_mmap and mm/memory.c zap_page_range_single_batched drain nothing',
  },
  reclaimsEmptyTables: {
    '6.1': 'mm/memory.c zap_pte_range leaves the table',
    '6.19': 'mm/pt_reclaim.c try_get_and_clear_pmd',
  },
  gathersWholeMadvise: {
    '6.1': 'mm/memory.c zap_page_range_single gathers each range by itself',
    '6.19': 'mm/madvise.c madvise_init_tlb, once for each call',
  },
  guardMarkers: {
    '6.1': 'mm/madvise.c madvise_behavior_valid knows no such advice',
    '6.19': 'mm/madvise.c madvise_guard_install',
  },
  pagemapHugeZeroPlain: {
    '6.1': "fs/proc/task_mmu.c pagemap_pmd_range marks no huge page as a file's",
    '6.19': "fs/proc/task_mmu.c pagemap_pmd_range_thp marks what is not anonymous as a file's",
  },
  splitsPmdInWalk: {
    '6.1': 'mm/rmap.c try_to_migrate_one splits before it announces',
    '6.19': 'mm/rmap.c try_to_migrate_one splits under its own announcement',
  },
  splitStopsAtFirstVma: {
    '6.1': 'mm/rmap.c try_to_migrate_one goes on after a split',
    '6.19': 'mm/rmap.c try_to_migrate_one returns false after a split, which ends rmap_walk_anon',
  },
  lazyfreeInUseStaysFree: {
    '6.1': 'mm/rmap.c try_to_unmap_one makes it swapbacked again',
    '6.19': 'mm/rmap.c try_to_unmap_one puts the entry back and ends',
  },
  sharedMarkIsExact: {
    '6.1': 'mm/madvise.c madvise_free_pte_range asks page_mapcount of the part',
    '6.19': 'include/linux/mm.h folio_maybe_mapped_shared',
  },
  ownHugePfnsFromHead: {
    '6.1': 'mm/hmm.c hmm_vma_walk_pmd knows no huge private entries',
    '6.19': 'mm/hmm.c hmm_vma_handle_absent_pmd counts from the head of the folio',
  },
  hmmReportsOom: {
    '6.1': 'mm/hmm.c hmm_vma_fault makes every error -EFAULT',
    '6.19': 'mm/hmm.c hmm_vma_fault makes every error -EFAULT',
  },
  twoPassNotifiers: {
    '6.1': 'mm/mmu_notifier.c mn_itree_invalidate calls invalidate only',
    '6.19': 'mm/mmu_notifier.c mn_itree_invalidate calls invalidate only',
  },
  exclusivePageByPage: {
    '6.1': 'mm/rmap.c make_device_exclusive_range',
    '6.19': 'mm/rmap.c make_device_exclusive',
  },
  exclusiveKeepsMapping: {
    '6.1': 'mm/rmap.c page_make_device_exclusive_one removes the rmap',
    '6.19': 'mm/rmap.c make_device_exclusive leaves the rmap',
  },
  exclusiveRestoredByVma: {
    '6.1': 'mm/memory.c restore_exclusive_pte goes by is_writable_device_exclusive_entry',
    '6.19': 'mm/memory.c restore_exclusive_pte goes by can_change_pte_writable',
  },
  exclusiveRestoreClears: {
    '6.1': 'mm/memory.c remove_device_exclusive_entry announces MMU_NOTIFY_EXCLUSIVE',
    '6.19': 'mm/memory.c remove_device_exclusive_entry announces MMU_NOTIFY_CLEAR',
  },
  collectsHugePmds: {
    '6.1': 'mm/migrate_device.c migrate_vma_collect_pmd splits',
    '6.19': 'mm/migrate_device.c migrate_vma_collect_huge_pmd',
  },
  collectsHugeHoles: {
    '6.1': 'mm/migrate_device.c migrate_vma_collect_hole goes page by page',
    '6.19': 'mm/migrate_device.c migrate_vma_collect_hole with MIGRATE_VMA_SELECT_COMPOUND',
  },
  collectSplitsLargeFolios: {
    '6.1': 'mm/migrate_device.c migrate_vma_collect_pmd skips PageTransCompound',
    '6.19': 'mm/migrate_device.c migrate_vma_split_folio',
  },
  faultLocksPage: {
    '6.1': 'mm/memory.c do_swap_page takes a reference only',
    '6.19': 'mm/memory.c do_swap_page locks the page, or comes back',
  },
  faultKeepsOldFolio: {
    '6.1': 'mm/migrate_device.c migrate_vma_collect_pmd knows no fault page',
    '6.19': 'mm/migrate_device.c migrate_vma_collect_pmd compares with the folio of before the split',
  },
  fallbackRefusesFault: {
    '6.1': 'mm/migrate_device.c has no huge slots',
    '6.19':
      'mm/migrate_device.c migrate_vma_split_unmapped_folio, mm/huge_memory.c folio_split_unmapped count references exactly',
  },
  fallbackSplitsOwnPmd: {
    '6.1': 'mm/migrate_device.c has no huge slots',
    '6.19': "mm/migrate_device.c migrate_vma_split_unmapped_folio splits migrate->vma's entry only",
  },
  deviceInitClearsFlags: {
    '6.1': 'mm/memremap.c zone_device_page_init sets the count and locks',
    '6.19': 'mm/memremap.c zone_device_page_init clears the low byte of the flags',
  },
  collapseCountsBackwards: {
    '6.1': 'mm/khugepaged.c madvise_collapse compares with (hend - hstart) without a test',
    '6.19': 'mm/khugepaged.c madvise_collapse compares with (hend - hstart) without a test',
  },
  collapseNeedsWritable: {
    '6.1': 'mm/khugepaged.c hpage_collapse_scan_pmd ends in SCAN_PAGE_RO',
    '6.19': 'mm/khugepaged.c hpage_collapse_scan_pmd asks for no writable page',
  },
  swapsHugePagesWhole: {
    '6.1': 'mm/swapfile.c get_swap_pages wants clusters, which only devices that do not rotate have',
    '6.19': 'mm/swapfile.c cluster_alloc_swap_entry',
  },
  faultsInBatchesOf32: {
    '6.1': 'lib/test_hmm.c dmirror_fault: pfns[64]',
    '6.19': 'lib/test_hmm.c dmirror_fault: pfns[32]',
  },
  migratesHugePages: {
    '6.1': 'lib/test_hmm.c dmirror_migrate_to_device: arrays of 64',
    '6.19': 'lib/test_hmm.c dmirror_migrate_to_device: arrays of PTRS_PER_PTE',
  },
  holesReadOnly: {
    '6.1': 'lib/test_hmm.c dmirror_migrate_alloc_and_copy asks for VM_WRITE too',
    '6.19': 'lib/test_hmm.c dmirror_migrate_alloc_and_copy asks for MIGRATE_PFN_WRITE only',
  },
  failedAllocationEnds: {
    '6.1': 'lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy goes on without the page',
    '6.19': 'lib/test_hmm.c dmirror_migrate_to_system looks at no result',
  },
  failedAllocationForgets: {
    '6.1': 'lib/test_hmm.c dmirror_devmem_fault always ends its migration',
    '6.19': 'lib/test_hmm.c dmirror_devmem_fault frees its arrays without migrate_vma_finalize',
  },
  releaseAfterSplitDies: { '6.1': 'lib/test_hmm.c has no large folios' },
  flagsIoctl: {
    '6.1': 'lib/test_hmm.c dmirror_fops_unlocked_ioctl knows no such command',
    '6.19': 'lib/test_hmm.c dmirror_fops_unlocked_ioctl',
  },
  readsUnlocked: {
    '6.1': 'lib/test_hmm.c dmirror_fops_unlocked_ioctl knows no such command',
    '6.19': 'lib/test_hmm.c dmirror_fops_unlocked_ioctl knows no such command',
  },
};
