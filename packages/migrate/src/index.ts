export { makeDeviceExclusive, makeDeviceExclusiveRange } from './device-exclusive.js';
export {
  migrateDeviceCoherentFolio,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDeviceRange,
} from './device-range.js';
export { I22, I23, I32, I33, I34, I36, I40, I42, I45, I53, I67, migrateInvariants } from './invariants.js';
export {
  memremapPages,
  memunmapPages,
  zoneDeviceFolioInit,
  zoneDevicePageInit,
  type MemremapRequest,
} from './memremap.js';
export {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_SHIFT,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
  migratePfnToPage,
} from './migrate-pfn.js';
export { migrateVmaFinalize, migrateVmaPages, migrateVmaSetup, type MigrateVma } from './migrate-vma.js';
