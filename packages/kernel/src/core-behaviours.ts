import { behaviour as has, type Behaviours, defect as wrong } from './releases.js';

/**
 * What the releases of Linux differ in, as far as a program, a driver or a subscriber can see it. The core asks for a row by
 * its name (`kernel.does.collectsHugePmds`) and nowhere for a release. Drivers have tables of their own.
 *
 * A column is a release of `RELEASES`. To add a release is to add a column: see "Adding a release" in CONTRIBUTING.
 */
export const CORE_BEHAVIOURS = {
  //                     6.1 6.12 6.19 7.3
  // Faults.
  hugeZeroPageReplaced: has(
    '- - + +',
    'mm/huge_memory.c do_huge_zero_wp_pmd',
    'The first write to 2 MiB of the huge zero page gets a huge page, with one CLEAR; it used to get one small page, with two.',
  ),
  reusesPartsOfLargeFolios: has(
    '- - + +',
    'mm/memory.c __wp_can_reuse_large_anon_folio',
    'A write to a part of a huge page that only this process maps needs no copy.',
  ),
  cowCountsBatch: has(
    '- - - +',
    'mm/memory.c wp_can_reuse_anon_folio',
    'A write to a page that another process maps too is copied without draining the batches of the LRU first.',
  ),
  swapinThroughCache: has(
    '- - - +',
    'mm/memory.c do_swap_page',
    'A page that is read back from swap goes through the swap cache, alone, and leaves it dirty; it used to bypass it, or to bring its neighbours.',
  ),
  swapinOwnIfMarked: has(
    '- - - +',
    'mm/memory.c do_swap_page',
    'A read of a swapped page maps it writable only where the entry says that it is its own; a page that had become its own by then used to be writable too.',
  ),
  swapinDrainsLru: has(
    '+ + + -',
    'mm/memory.c do_swap_page',
    'A write to a swapped page that is in the batch of new pages drains the batches of the LRU.',
  ),
  // Address spaces.
  mremapMovesSeveral: has(
    '- - + +',
    'mm/mremap.c remap_move',
    'A range that mremap moves to a fixed place may span several VMAs and gaps, and moves VMA by VMA; it used to be -EFAULT.',
  ),
  mremapChecksSourceFirst: has(
    '- - + +',
    'mm/mremap.c check_prep_vma',
    'An mremap whose source is longer than its VMA fails with its target intact; it used to unmap the target first.',
  ),
  mergesIntoUnfaulted: has(
    '- - + +',
    'mm/vma.c is_mergeable_anon_vma',
    'A VMA with anonymous pages merges with a neighbour that has none yet, so VMAs are longer, and so are the ranges of events.',
  ),
  unmapDrainsLru: has(
    '+ + - -',
    'mm/memory.c zap_page_range_single_batched',
    'The batches of the LRU are drained by munmap, exit and MADV_DONTNEED; now they live on, from one process to the next.',
  ),
  reclaimsEmptyTables: has(
    '- - + +',
    'mm/pt_reclaim.c try_get_and_clear_pmd',
    'MADV_DONTNEED of whole 2 MiB frees the page table, so that a huge page can be had there again.',
  ),
  gathersWholeMadvise: has(
    '- - + +',
    'mm/madvise.c madvise_do_behavior',
    'MADV_DONTNEED over several VMAs frees its pages at the end of the call; it used to be at the end of each VMA.',
  ),
  guardMarkers: has(
    '- - + +',
    'mm/madvise.c madvise_guard_install',
    "MADV_GUARD_INSTALL makes an access to pages SIGSEGV, and a device's -EFAULT, until MADV_GUARD_REMOVE; it used to be EINVAL.",
  ),
  pagemapHugeZeroPlain: has(
    '+ - - +',
    'fs/proc/task_mmu.c pagemap_pmd_range',
    "The huge zero page is present and nothing else in pagemap; in between it counted as a file's.",
  ),
  splitsPmdInWalk: has(
    '- - + +',
    'mm/rmap.c try_to_migrate_one',
    'The split of a huge page is announced once for each VMA; it used to be twice where a PMD maps it.',
  ),
  splitStopsAtFirstVma: wrong(
    '- - + -',
    'mm/rmap.c try_to_migrate_one',
    'A huge page that two processes map whole cannot be split: the walk ends with the first, whose entry is split, and comes back as small ones.',
  ),
  lazyfreeInUseStaysFree: has(
    '- - + +',
    'mm/rmap.c try_to_unmap_one',
    'A lazily freed page that somebody holds a reference on can still be dropped by a later reclaim.',
  ),
  sharedMarkIsExact: has(
    '- - + +',
    'include/linux/mm.h folio_maybe_mapped_shared',
    'MADV_FREE knows exactly whether another process maps a part of a huge page; it used to guess from the first page.',
  ),
  ownHugePfnsFromHead: wrong(
    '- - + +',
    'mm/hmm.c hmm_vma_handle_absent_pmd',
    "A device that reads its own huge private page from the middle gets the folio's first pages: the frames are counted from where the walk began.",
  ),
  hmmReportsOom: has(
    '- - - +',
    'mm/hmm.c hmm_do_fault',
    'A device access for which memory is used up fails with -ENOMEM; it used to be -EFAULT.',
  ),
  twoPassNotifiers: has(
    '- - - +',
    'mm/mmu_notifier.c mn_itree_invalidate',
    'An interval notifier may have two passes: every device begins to let go of a range before the first is waited for.',
  ),
  // Device-exclusive access.
  exclusivePageByPage: has(
    '- - + +',
    'mm/rmap.c make_device_exclusive',
    'A page is made exclusive by itself, announced to its own process only; its error is its own. It used to be done by a walk over all that map its folio.',
  ),
  exclusiveKeepsMapping: has(
    '- - + +',
    'mm/memory.c restore_exclusive_pte',
    'A page that a device has for itself still counts as mapped: its folio can be split, and coherent memory under it can be released.',
  ),
  exclusiveRestoredByVma: has(
    '- - + +',
    'mm/memory.c restore_exclusive_pte',
    'A page that a device had for itself comes back writable if its VMA is; it used to be what it was, less what mprotect had taken.',
  ),
  exclusiveRestoreClears: has(
    '- - + +',
    'mm/memory.c remove_device_exclusive_entry',
    'The CPU takes an exclusive page back with a CLEAR event; it used to be an EXCLUSIVE one.',
  ),
  // Migration.
  collectsHugePmds: has(
    '- - + +',
    'mm/migrate_device.c migrate_vma_collect_huge_pmd',
    'A huge page that is migrated whole is one slot; a huge zero page is a hole and stays; huge pages that were not selected are left alone.',
  ),
  collectsHugeHoles: has(
    '- - + +',
    'mm/migrate_device.c migrate_vma_collect_hole',
    'Untouched, aligned 2 MiB of anonymous memory go to a device as one huge page, whatever the setting of huge pages.',
  ),
  collectSplitsLargeFolios: has(
    '- - + +',
    'mm/migrate_device.c migrate_vma_collect_pmd',
    'A page of a large folio that PTEs map is migrated after the folio is split; it used to be left out.',
  ),
  faultLocksPage: has(
    '- - + +',
    'mm/memory.c do_swap_page',
    'A CPU fault on a private page locks it before it calls the driver, and waits where somebody else has it locked.',
  ),
  faultKeepsOldFolio: wrong(
    '- - + +',
    'mm/migrate_device.c migrate_vma_collect_pmd',
    'A CPU fault on a page inside a large private folio that PTEs map splits the folio and is then repeated: it takes its own lock for that of somebody else.',
  ),
  fallbackRefusesFault: wrong(
    '- - + +',
    'mm/migrate_device.c migrate_vma_split_unmapped_folio',
    'A huge page that a CPU fault cannot bring home whole stays, mapped by PTEs: the reference of the fault keeps it from being split.',
  ),
  fallbackSplitsOwnPmd: wrong(
    '- - + +',
    'mm/migrate_device.c migrate_vma_split_unmapped_folio',
    'Where a huge page goes to single pages, only the migrating process has its entry split: one that another process has names a folio that is large no more.',
  ),
  deviceInitClearsFlags: has(
    '- - + +',
    'include/linux/memremap.h zone_device_folio_init',
    'A device frame that is handed out again has forgotten that it was dirty or referenced.',
  ),
  collapseCountsBackwards: has(
    '+ + + -',
    'mm/khugepaged.c madvise_collapse',
    'MADV_COLLAPSE of a range that ends before its first aligned 2 MiB begins is EINVAL; later there is nothing to do.',
  ),
  collapseNeedsWritable: has(
    '+ + - -',
    'mm/khugepaged.c hpage_collapse_scan_pmd',
    'MADV_COLLAPSE makes a huge page only of pages of which one may be written by now, not counting what is swapped out or with a device.',
  ),
  swapsHugePagesWhole: has(
    '- - + +',
    'mm/swapfile.c folio_alloc_swap',
    'A huge page that is reclaimed goes to 512 slots in a row, also on a device that rotates; there it used to be split first.',
  ),
} as const;

/** Whether a machine behaves as each row of {@link CORE_BEHAVIOURS} says. */
export type CoreBehaviours = Behaviours<typeof CORE_BEHAVIOURS>;
