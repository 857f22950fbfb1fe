/** The two of them, oldest first: the patches of 18 November 2016, and the first release of Linux that had HMM. */
export const HMM_2016_VERSIONS = ['v13', '4.14'] as const;

/** One of {@link HMM_2016_VERSIONS}. */
export type Hmm2016Version = (typeof HMM_2016_VERSIONS)[number];

/** One behaviour in which the two differ, or that is wrong in one of them or in both. */
export interface Hmm2016Behaviour {
  /** Who has it. */
  readonly versions: readonly Hmm2016Version[];
  /** The patch of the series, or the file and function, that decides it. */
  readonly source: string;
  /** What is seen of it, one sentence. */
  readonly shows: string;
  /** Whether it is a defect of who has it; it can be mended. */
  readonly bug: boolean;
}

function row(signs: string, source: string, shows: string, bug = false): Hmm2016Behaviour {
  return { versions: HMM_2016_VERSIONS.filter((_, i) => signs.split(' ')[i] === '+'), source, shows, bug };
}

function wrong(signs: string, source: string, shows: string): Hmm2016Behaviour {
  return row(signs, source, shows, true);
}

/**
 * What v13 and 4.14 differ in, and their known defects. The first rows are the differences of their contracts, each with a
 * test of its own name; the defects follow. A source that ends in `(inferred)` is a reading of the code that nobody has stated.
 */
export const HMM_2016_BEHAVIOURS = {
  //               v13 4.14
  registerTakesLock: row(
    '+ -',
    'v13 patch 9 hmm_mirror_register',
    'hmm_mirror_register takes mmap_sem for writing itself; in 4.14 its caller must hold it.',
  ),
  callbackAtEnd: wrong(
    '- +',
    '4.14 mm/hmm.c hmm_invalidate_range_end',
    'A mirror is told of a change when it has been made: meanwhile the device uses what may be freed. v13 told it before.',
  ),
  unregisterWaits: row(
    '+ -',
    'v13 patch 9 hmm_mirror_unregister',
    'hmm_mirror_unregister waits until no invalidation of the address space runs; in 4.14 it takes the mirror off a list, and that is all.',
  ),
  locksRanges: row(
    '+ -',
    'v13 patch 10 hmm_vma_range_lock',
    'A device can hold invalidations of a range off; 4.14 has nothing that blocks the CPU.',
  ),
  tracksApart: row(
    '+ -',
    'v13 patch 11 hmm_vma_range_monitor_start',
    'A range is tracked by a call of its own, before anything is read; in 4.14 hmm_vma_get_pfns and hmm_vma_fault begin it.',
  ),
  tracksOnlyWhenQuiet: row(
    '+ -',
    'v13 patch 11 hmm_vma_range_monitor_start',
    'Tracking does not begin while an invalidation of the address space runs; in 4.14 it does, and the range counts as valid.',
  ),
  erasesSlots: row(
    '- +',
    '4.14 mm/hmm.c hmm_invalidate_range',
    'An invalidation writes zeroes into the overlapping slots of a tracked range; v13 only takes the range off its list.',
  ),
  faultSaysLockHeld: row(
    '+ -',
    'v13 patch 13 hmm_vma_fault',
    'hmm_vma_fault says only whether mmap_sem is still held; in 4.14 it returns 0 or a negative errno.',
  ),
  requestsBySlot: row(
    '+ -',
    'v13 patch 13 hmm_vma_fault',
    'Each slot says whether its page is to be faulted, and for what; in 4.14 one write flag is for the whole range, and all of it is faulted.',
  ),
  migratesInOneArray: row(
    '+ -',
    'v13 patch 16 hmm_vma_migrate',
    'One array names the sources, and from the callback on the destinations; 4.14 has an array for each.',
  ),
  migrationWaitsForLocks: row(
    '+ -',
    'v13 patch 16 hmm_migrate_lock_and_isolate',
    'A migration waits for the locks of pages; in 4.14 a page that is locked stays where it is.',
  ),
  migratesHoles: row(
    '- +',
    '4.14 mm/migrate.c migrate_vma_collect_hole',
    'Memory that nobody has touched, and the zero page, can be populated by the driver; v13 leaves them alone.',
  ),
  removeMayFail: row(
    '+ -',
    'v13 patch 17 hmm_devmem_remove',
    'hmm_devmem_remove returns false while pages are in use, to be called again; in 4.14 it waits for them.',
  ),
  // Defects of v13.
  waiterSkipsUpdate: wrong(
    '+ -',
    'v13 patch 10 hmm_invalidate_range (inferred)',
    'An invalidation that had to wait for a range lock, or for another invalidation, leaves without telling any mirror.',
  ),
  waiterSkipsCount: wrong(
    '+ -',
    'v13 patch 10 hmm_invalidate_range (inferred)',
    'An invalidation that had to wait is not counted, but its end counts it out: the count goes below 0, and who waits for 0 waits for ever.',
  ),
  waiterStaysListed: wrong(
    '+ -',
    'v13 patch 10 hmm_invalidate_range (inferred)',
    'An invalidation that had to wait leaves its range on the list, which lies on a stack that is gone: the next walk of the list reads it.',
  ),
  restoreSkipsBegin: wrong(
    '+ -',
    'v13 patch 16 hmm_migrate_lock_and_isolate (inferred)',
    'Pages that cannot be migrated are mapped again only behind one that can; with none the CPU waits for ever.',
  ),
  unmapNeverRestores: wrong(
    '+ -',
    'v13 patch 16 hmm_migrate_unmap (inferred)',
    'The loop that restores what could not be unmapped begins at the end of the range, so it never runs.',
  ),
  compoundLosesMapping: wrong(
    '+ -',
    'v13 patch 16 hmm_collect_walk_pmd (inferred)',
    'A page of a huge page is skipped when its entry has been cleared already: what was mapped is gone.',
  ),
  refusedPageMapped: wrong(
    '+ -',
    'v13 patch 16 hmm_migrate_remove_migration_pte (inferred)',
    'A page that was refused after it was copied, as a page of a file is, is looked for at its destination, and its entry stays a migration entry.',
  ),
  unmappedSourceLeaks: wrong(
    '+ -',
    'v13 patch 16 hmm_migrate_struct_page (inferred)',
    'A page that the CPU unmaps while it is being migrated is found by nobody any more: it, or its destination, stays locked, with a reference.',
  ),
  failedFaultLooksEmpty: wrong(
    '+ -',
    'v13 patch 13 hmm_vma_walk (inferred)',
    'A fault that fails where nothing was mapped leaves a slot of 0 instead of HMM_PFN_ERROR.',
  ),
  deviceEntryFaulted: wrong(
    '+ -',
    'v13 patch 13 hmm_vma_walk (inferred)',
    'A write request for a read-only entry of device memory brings the page home, though the comment says that device memory never comes home by this call.',
  ),
  // Defects of both.
  exitUnannounced: wrong(
    '+ +',
    'v13 patch 9, 4.14 mm/hmm.c hmm_mmu_notifier_ops',
    'No mirror is told that the process ends: the device goes on with pages that are free. 4.17 has a release callback.',
  ),
  mmNeverFreed: wrong(
    '+ +',
    'v13 patch 9, 4.14 mm/hmm.c hmm_mirror_unregister',
    'The notifier is never given back, and with it the mm_struct: it outlives its process as a zombie until 4.17.',
  ),
  // Defects of 4.14.
  touchingOverlaps: wrong(
    '- +',
    '4.14 mm/hmm.c hmm_invalidate_range (inferred)',
    'An invalidation that ends where a range begins counts as one of the range, which is read again for nothing.',
  ),
  droppedLockIsBusy: wrong(
    '- +',
    '4.14 mm/hmm.c hmm_vma_fault (inferred)',
    'After a fault that dropped mmap_sem the call returns -EBUSY, and not -EAGAIN as its comment says.',
  ),
  blockIgnored: wrong(
    '- +',
    '4.14 mm/hmm.c hmm_vma_do_fault (inferred)',
    'A fault may always drop mmap_sem, whatever the argument block says.',
  ),
} as const satisfies Readonly<Record<string, Hmm2016Behaviour>>;

/** Name of a row of {@link HMM_2016_BEHAVIOURS}. */
export type Hmm2016BehaviourName = keyof typeof HMM_2016_BEHAVIOURS;

/** What one version does: for each row whether it behaves so. */
export type Hmm2016Behaviours = Readonly<Record<Hmm2016BehaviourName, boolean>>;

/** Whether `name` is a row. */
export function isHmm2016Behaviour(name: string): name is Hmm2016BehaviourName {
  return Object.hasOwn(HMM_2016_BEHAVIOURS, name);
}

/** What `version` does, without the defects that `mended` names. */
export function hmm2016Behaviours(
  version: Hmm2016Version,
  mended: readonly Hmm2016BehaviourName[] = [],
): Hmm2016Behaviours {
  const has = (name: Hmm2016BehaviourName): boolean => {
    const { versions, bug }: Hmm2016Behaviour = HMM_2016_BEHAVIOURS[name];
    return versions.includes(version) && !(bug && mended.includes(name));
  };
  return {
    registerTakesLock: has('registerTakesLock'),
    callbackAtEnd: has('callbackAtEnd'),
    unregisterWaits: has('unregisterWaits'),
    locksRanges: has('locksRanges'),
    tracksApart: has('tracksApart'),
    tracksOnlyWhenQuiet: has('tracksOnlyWhenQuiet'),
    erasesSlots: has('erasesSlots'),
    faultSaysLockHeld: has('faultSaysLockHeld'),
    requestsBySlot: has('requestsBySlot'),
    migratesInOneArray: has('migratesInOneArray'),
    migrationWaitsForLocks: has('migrationWaitsForLocks'),
    migratesHoles: has('migratesHoles'),
    removeMayFail: has('removeMayFail'),
    waiterSkipsUpdate: has('waiterSkipsUpdate'),
    waiterSkipsCount: has('waiterSkipsCount'),
    waiterStaysListed: has('waiterStaysListed'),
    restoreSkipsBegin: has('restoreSkipsBegin'),
    unmapNeverRestores: has('unmapNeverRestores'),
    compoundLosesMapping: has('compoundLosesMapping'),
    refusedPageMapped: has('refusedPageMapped'),
    unmappedSourceLeaks: has('unmappedSourceLeaks'),
    failedFaultLooksEmpty: has('failedFaultLooksEmpty'),
    deviceEntryFaulted: has('deviceEntryFaulted'),
    exitUnannounced: has('exitUnannounced'),
    mmNeverFreed: has('mmNeverFreed'),
    touchingOverlaps: has('touchingOverlaps'),
    droppedLockIsBusy: has('droppedLockIsBusy'),
    blockIgnored: has('blockIgnored'),
  };
}
