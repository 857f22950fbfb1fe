export * from './behaviours.js';
export * from './device-table.js';
export {
  DEVMEM_CHUNK_PAGES,
  DmirrorDevice,
  type DmirrorChunk,
  type DmirrorOptions,
} from './dmirror-device.js';
export { Dmirror, dmirrorFopsOpen, dmirrorFopsRelease } from './dmirror.js';
export { DMIRROR_BATCH } from './dmirror-fault.js';
export * from './dmirror-mmap.js';
export { I2, testDeviceInvariants } from './invariants.js';
export * from './ioctl.js';
export * from './mirror-operations.js';
export * from './test-device.js';
export * from './uapi.js';
export * from './test-device-client.js';
export * from './test-device-factory.js';
