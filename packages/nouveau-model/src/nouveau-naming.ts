import type { FunctionNaming } from '@hmm/device';

/** Under which names nouveau knows the functions of its model. */
export const NOUVEAU_NAMING: FunctionNaming = {
  functions: {
    atomicFaultLoop: 'nouveau_atomic_range_fault',
    cancelFault: 'nouveau_svm_fault_cancel',
    lookupAndServe: 'nouveau_svm_fault',
    migrateChunk: 'nouveau_dmem_migrate_chunk',
    migrateCopyOne: 'nouveau_dmem_migrate_copy_one',
    pageAllocLocked: 'nouveau_dmem_page_alloc_locked',
    pfnsMap: 'nouveau_pfns_map',
    rangeFaultLoop: 'nouveau_range_fault',
    replayAfter: 'nouveau_svm_fault_replay',
    serveAfter: 'nouveau_svm_fault',
    serveSlowly: 'nouveau_svm_fault',
    rangeInvalidate: 'nouveau_svm_range_invalidate',
    setSeqTask: 'nouveau_svm_range_invalidate',
  },
  methods: {
    'NouveauSvmm.invalidateTask': 'nouveau_svmm_invalidate_range_start',
  },
  unnamed: [
    'bringIn',
    'calledBack',
    'cancelAt',
    'cancelLost',
    'cancelRun',
    'copyHome',
    'faultsPending',
    'faultsPendingTask',
    'workTask',
    'invalidateTask',
    'takeOffGpu',
  ],
};
