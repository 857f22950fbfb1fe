export { DmirrorDevice } from './dmirror-device.js';
export { dmirrorFopsMmap } from './dmirror-mmap.js';
export { Dmirror, dmirrorFopsOpen, dmirrorFopsRelease } from './dmirror.js';
export { I2, testDeviceInvariants } from './invariants.js';
export { dmirrorIoctl } from './ioctl.js';
export { MirrorOperations, litmusDevices } from './mirror-operations.js';
export { TestDeviceClient, TestDeviceProcess } from './test-device-client.js';
export { testDeviceFactory } from './test-device-factory.js';
export { TestDevice, type TestDeviceOptions } from './test-device.js';
export {
  HMM_DMIRROR_CHECK_EXCLUSIVE,
  HMM_DMIRROR_EXCLUSIVE,
  HMM_DMIRROR_FLAGS,
  HMM_DMIRROR_FLAG_FAIL_ALLOC,
  HMM_DMIRROR_MEMORY_DEVICE_COHERENT,
  HMM_DMIRROR_MEMORY_DEVICE_PRIVATE,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL,
  HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE,
  HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL,
  HMM_DMIRROR_PROT_DEV_PRIVATE_REMOTE,
  HMM_DMIRROR_PROT_ERROR,
  HMM_DMIRROR_PROT_NONE,
  HMM_DMIRROR_PROT_PMD,
  HMM_DMIRROR_PROT_PUD,
  HMM_DMIRROR_PROT_READ,
  HMM_DMIRROR_PROT_WRITE,
  HMM_DMIRROR_PROT_ZERO,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_READ_UNLOCKED,
  HMM_DMIRROR_RELEASE,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
  type HmmDmirrorCmd,
} from './uapi.js';
