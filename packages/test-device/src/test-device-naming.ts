import type { FunctionNaming } from '@hmm/device';

/** Under which names lib/test_hmm.c knows the functions of its model. */
export const TEST_DEVICE_NAMING: FunctionNaming = {
  functions: {
    allocDevmemPage: 'dmirror_devmem_alloc_page',
    atomicMap: 'dmirror_atomic_map',
    devmemFaultAllocAndCopy: 'dmirror_devmem_fault_alloc_and_copy',
    dmirrorFopsMmap: 'vm_mmap_pgoff',
    dmirrorIoctl: 'dmirror_fops_unlocked_ioctl',
    dmirrorReadUnlocked: 'dmirror_read',
    exclusiveBatch: 'dmirror_exclusive',
    insertPages: 'dmirror_fops_mmap',
    migrateAllocAndCopy: 'dmirror_migrate_alloc_and_copy',
    migrateFinalizeAndMap: 'dmirror_migrate_finalize_and_map',
    rangeSnapshot: 'dmirror_range_snapshot',
  },
  methods: {
    'Dmirror.doUpdate': 'dmirror_do_update',
    'Dmirror.holdAndZap': 'dmirror_interval_invalidate',
    'Dmirror.invalidate': 'dmirror_interval_invalidate',
    'Dmirror.lockAndZap': 'dmirror_interval_invalidate',
    'Dmirror.zap': 'dmirror_interval_invalidate',
    'DmirrorDevice.allocateChunk': 'dmirror_allocate_chunk',
    'DmirrorDevice.pageFree': 'dmirror_devmem_free',
    'SnapshotOps.invalidate': 'dmirror_snapshot_invalidate',
    'SnapshotOps.lockAndSet': 'dmirror_snapshot_invalidate',
  },
  unnamed: [
    'copyFromDevice',
    'copyHome',
    'copyHomeByPages',
    'fillDevicePages',
    'dmirrorReadBack',
    'pageFree',
  ],
};
