import { behaviour as has, type Behaviours, defect as wrong } from '@hmm/kernel';

/** What the releases of the test device's driver differ in; as `CORE_BEHAVIOURS` of `@hmm/kernel`. */
export const TEST_DEVICE_BEHAVIOURS = {
  //             6.1 6.12 6.19 7.3
  faultsInBatchesOf32: has(
    '- - + +',
    'lib/test_hmm.c dmirror_fault',
    'A fault or a snapshot reads the tables 32 pages a time; it used to be 64.',
  ),
  migratesHugePages: has(
    '- - + +',
    'lib/test_hmm.c dmirror_migrate_to_device',
    'A migration goes in batches of 512 pages, and takes aligned 2 MiB as one large folio; it used to be 64 pages, each by itself.',
  ),
  holesReadOnly: has(
    '- - + +',
    'lib/test_hmm.c dmirror_migrate_alloc_and_copy',
    'The table entry of a hole that was migrated to the device cannot be written: the next write faults once more.',
  ),
  failedAllocationEnds: has(
    '- - - +',
    'lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy',
    'A migration home for which there is no memory ends with -ENOMEM and moves nothing of its batch; a page used to be left out.',
  ),
  failedAllocationForgets: wrong(
    '- - + -',
    'lib/test_hmm.c dmirror_devmem_fault',
    'A migration home for which there is no memory succeeds with the rest of its batch left out; a CPU fault forgets its page, which stays locked, and the access waits for ever.',
  ),
  releaseAfterSplitDies: wrong(
    '- - - +',
    'lib/test_hmm.c dmirror_device_remove_chunks',
    'HMM_DMIRROR_RELEASE resets the machine while a page of the device is in use that came there in a large folio and was split off.',
  ),
  flagsIoctl: has(
    '- - + +',
    'lib/test_hmm.c dmirror_fops_unlocked_ioctl',
    'HMM_DMIRROR_FLAGS makes the next allocation of a migration fail; it used to be -EINVAL.',
  ),
  readsUnlocked: has(
    '- - - +',
    'lib/test_hmm.c dmirror_fops_unlocked_ioctl',
    'HMM_DMIRROR_READ_UNLOCKED reads without holding mmap_lock; it used to be -EINVAL.',
  ),
} as const;

/** Whether a test device behaves as each row of {@link TEST_DEVICE_BEHAVIOURS} says. */
export type TestDeviceBehaviours = Behaviours<typeof TEST_DEVICE_BEHAVIOURS>;
