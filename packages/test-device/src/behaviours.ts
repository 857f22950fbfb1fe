import { behaviour as has, type Behaviours } from '@hmm/kernel';

/** What the releases of the test device's driver differ in; as `CORE_BEHAVIOURS` of `@hmm/kernel`. */
export const TEST_DEVICE_BEHAVIOURS = {
  //             6.1 6.12 6.19 7.3
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
