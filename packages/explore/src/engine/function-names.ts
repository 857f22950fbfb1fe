import type { AccessObserver } from '@hmm/kernel';

/** Names that say nothing to a reader of kernel code: whoever called them is named instead. */
const PLUMBING = new RegExp(
  '^(?:access\\w*|count(?:ed)?|acquired?|released?|next|step|run|runAgents|tryFast|note\\w*|' +
    '(?:plain|range|run|pin|access)Operation|cpu(?:Reads|Writes|Access|Translate)|moveRegion|' +
    'addPte|addToLru|folioFree|forEachIn|hasAnonVma|inUse|migrateRange|pageFree)$',
);

/** Methods of locks and pages, by class. */
const METHODS: ReadonlyMap<string, string> = new Map([
  ['MemMap.tryLock', 'folio_trylock'],
  ['Mutex.tryLock', 'mutex_trylock'],
  ['RwSemaphore.tryRead', 'down_read_trylock'],
  ['RwSemaphore.unlockRead', 'up_read'],
  ['RwSemaphore.unlockWrite', 'up_write'],
  ['MemMap.dropRef', 'folio_put'],
  ['RegisteredMemory.work', 'free_implicit_child_mr_work'],
]);

/** The kernel's name of functions that it has under another one, or as a part of another. */
const KERNEL_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    allocDevmemPage: 'dmirror_devmem_alloc_page',
    allocZeroedPage: 'folio_prealloc',
    anonVmaPrepare: '__anon_vma_prepare',
    atomicMap: 'dmirror_atomic_map',
    checkPage: 'migrate_vma_check_page',
    collectPte: 'migrate_vma_collect_pmd',
    collectPtes: 'migrate_vma_collect_pmd',
    collectRange: 'migrate_vma_collect',
    completeMunmap: 'vms_complete_munmap_vmas',
    copyPresentPte: 'copy_present_ptes',
    copyPte: 'copy_pte_range',
    copyTables: 'copy_page_range',
    cpuFault: 'do_user_addr_fault',
    // No functions at all: what the processor does.
    cpuReadByte: 'CPU load',
    cpuWriteByte: 'CPU store',
    detachVmas: 'vms_gather_munmap_vmas',
    devmemFaultAllocAndCopy: 'dmirror_devmem_fault_alloc_and_copy',
    dmirrorIoctl: 'dmirror_fops_unlocked_ioctl',
    dmirrorReadBack: 'dmirror_migrate_to_device',
    doDevicePrivatePage: 'do_swap_page',
    doMunmap: 'do_vmi_munmap',
    dupVma: 'dup_mmap',
    endProcess: 'exit_mm',
    exclusiveBatch: 'dmirror_exclusive',
    filePage: 'shmem_fault',
    finishFilePage: 'finish_fault',
    flushAdd: 'lru_add',
    flushLazyfree: 'lru_lazyfree',
    folioDupRmapPte: 'folio_try_dup_anon_rmap_pte',
    followPage: 'follow_page_mask',
    followPte: 'follow_page_pte',
    freeReclaimed: '__remove_mapping',
    freeVmaTables: 'free_pgtables',
    getUserPages: '__get_user_pages',
    grabFolio: 'try_grab_folio',
    hmmWalk: 'hmm_vma_walk_pmd',
    insertPage: 'migrate_vma_insert_page',
    isolateLru: 'folio_isolate_lru',
    itreeInvEnd: 'mn_itree_inv_end',
    itreeInvStart: 'mn_itree_inv_start_range',
    itreeRelease: 'mn_itree_release',
    lockAndSet: 'dmirror_snapshot_invalidate',
    lockAndZap: 'dmirror_interval_invalidate',
    lockFile: 'vma_prepare',
    lockRange: 'apply_vma_lock_flags',
    lruAddDrainTask: 'lru_add_drain',
    madviseColdOrPageout: 'madvise_cold_or_pageout_pte_range',
    madviseDontneed: 'madvise_dontneed_single_vma',
    makeExclusive: 'make_device_exclusive_range',
    mapSwappedIn: 'do_swap_page',
    mapWhatIsThere: 'dmirror_migrate_finalize_and_map',
    migrateAllocAndCopy: 'dmirror_migrate_alloc_and_copy',
    migrateDeviceFinalizeSlots: '__migrate_device_finalize',
    migrateDevicePageSlots: '__migrate_device_pages',
    migrateEntry: 'try_to_migrate_one',
    migrateFinalizeAndMap: 'dmirror_migrate_finalize_and_map',
    mmPopulate: '__mm_populate',
    mmuIntervalTryReadBegin: 'mmu_interval_read_begin',
    moveEntry: 'move_ptes',
    queueDestroy: 'destroy_unused_implicit_child_mr',
    moveExtent: 'move_page_tables',
    moveFolio: 'folio_migrate_mapping',
    mprotectRange: 'mprotect_fixup',
    nonpresentFault: 'do_swap_page',
    notifyEnd: 'mmu_notifier_invalidate_range_end',
    notifyStart: 'mmu_notifier_invalidate_range_start',
    rangeSnapshot: 'dmirror_range_snapshot',
    restoreAll: 'remove_migration_ptes',
    restorePages: 'migrate_device_unmap',
    shmemGetFolio: 'shmem_get_folio_gfp',
    shrinkFolio: 'shrink_folio_list',
    splitVma: '__split_vma',
    startStepwise: '__mmu_notifier_invalidate_range_start',
    sysMadvise: 'do_madvise',
    sysMlock: 'do_mlock',
    sysMprotect: 'do_mprotect_pkey',
    sysMremap: '__do_sys_mremap',
    sysMunmap: '__vm_munmap',
    takePage: 'migrate_vma_collect_pmd',
    unlinkVma: 'unlink_file_vma',
    unmapPte: 'try_to_unmap_one',
    walkAndFault: 'hmm_range_fault',
    zapNonpresentPte: 'zap_nonpresent_ptes',
    zapPresentPte: 'zap_present_ptes',
    zapPtesStepwise: 'zap_pte_range',
  }),
);

/** `mmuIntervalReadRetry` → `mmu_interval_read_retry`; '' for what is no function of the kernel. */
function kernelName(owner: string, name: string): string {
  const known = METHODS.get(`${owner}.${name}`) ?? KERNEL_NAMES.get(name);
  if (known !== undefined) return known;
  if (PLUMBING.test(name) || !/[a-z][A-Z]/.test(name)) return '';
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/** Collects the names of the functions that touch shared state, from the call stack. */
export class FunctionNames implements AccessObserver {
  private names: string[] = [];
  private readonly whole: boolean;

  /** @param whole names the callers too, outermost first; otherwise only the function that touches the state. */
  constructor(whole = false) {
    this.whole = whole;
  }

  /** @inheritdoc */
  access(): void {
    this.note();
  }

  /** @inheritdoc */
  count(): void {
    this.note();
  }

  /** @inheritdoc */
  acquire(): void {
    this.note();
  }

  /** @inheritdoc */
  release(): void {
    this.note();
  }

  /** The names since the last call, in order. */
  take(): string[] {
    const { names } = this;
    this.names = [];
    return names;
  }

  private note(): void {
    const stack = new Error().stack ?? '';
    const chain: string[] = [];
    // What is further out than the scheduler is no part of the model.
    const inside = stack.replace(/\n[^\n]*\bSched\.step\b[^]*/, '');
    for (const [, owner = '', name = ''] of inside.matchAll(/^\s*at (?:async )?(?:(\w+)\.)?(\w+) /gm)) {
      const spoken = kernelName(owner, name);
      if (spoken === '') continue;
      chain.push(spoken);
      if (!this.whole) break;
    }
    for (const spoken of chain.reverse()) if (this.names.at(-1) !== spoken) this.names.push(spoken);
  }
}
