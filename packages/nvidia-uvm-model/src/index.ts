export {
  TRACED_FIGURES,
  UNTRACED_FIGURES,
  type UvmCosts,
  type UvmFigure,
  type UvmFigures,
} from './timing/uvm-figures.js';
export { H200_FIGURES } from './timing/uvm-h200-figures.js';
export { UvmTiming } from './timing/uvm-timing.js';
export { uvmCapability, type UvmCapability } from './uvm-capability.js';
export { UvmClient, type UvmClientOptions } from './uvm-client.js';
export { uvmCpuAccess } from './uvm-cpu-access.js';
export { UvmDriver, type UvmDriverOptions } from './uvm-driver.js';
export { uvmFactory } from './uvm-factory.js';
export { launchKernel } from './uvm-launch.js';
export { UvmModuleParams, moduleParameterNames, moduleParameterText } from './uvm-module-params.js';
export { PAGES_PER_BLOCK, maskFill, maskNext, maskSet, maskTest, type UvmPageMask } from './uvm-page-mask.js';
export { DRIVER_POLICY, type UvmChunkView, type UvmPerfPolicy } from './uvm-perf-policy.js';
export { UvmManagedMemory, UvmProcess } from './uvm-process.js';
export {
  UvmEventTypeAccessCounter,
  UvmEventTypeCpuFault,
  UvmEventTypeEviction,
  UvmEventTypeFatalFault,
  UvmEventTypeFaultBufferOverflow,
  UvmEventTypeGpuFault,
  UvmEventTypeGpuFaultReplay,
  UvmEventTypeMapRemote,
  UvmEventTypeMigration,
  UvmEventTypePageSizeChange,
  UvmEventTypeReadDuplicate,
  UvmEventTypeReadDuplicateInvalidate,
  UvmEventTypeThrashingDetected,
  UvmEventTypeThrottlingEnd,
  UvmEventTypeThrottlingStart,
  packUvmEvent,
  unpackUvmEvent,
  type UvmEventValue,
} from './uvm-tools.js';
export {
  UvmEventMapRemoteCauseCoherence,
  UvmEventMapRemoteCauseEviction,
  UvmEventMapRemoteCauseOutOfMemory,
  UvmEventMapRemoteCausePolicy,
  UvmEventMapRemoteCauseThrashing,
  UvmEventMigrationCauseAccessCounters,
  UvmEventMigrationCauseCoherence,
  UvmEventMigrationCauseEviction,
  UvmEventMigrationCausePrefetch,
  UvmEventMigrationCauseUser,
} from './uvm-types.js';
