// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { parseUvmCosts } from './timing/uvm-cost-file.js';
export { UvmNoTime } from './timing/uvm-no-time.js';
export type { UvmClock, UvmMoments } from './uvm-clock.js';
export { uvmDiscard } from './uvm-discard.js';
export { uvmFork } from './uvm-fork.js';
export { uvmGetUserPages } from './uvm-get-user-pages.js';
export { uvmMigrate } from './uvm-migrate.js';
export {
  UVM_PARAM_RULES,
  UVM_PARAMS_WITHOUT_EFFECT,
  type UvmParamOutside,
  type UvmParamRule,
} from './uvm-module-params.js';
export { UvmThrashingLapse } from './uvm-perf-thrashing-lapse.js';
export {
  uvmDisableReadDuplication,
  uvmEnableReadDuplication,
  uvmSetAccessedBy,
  uvmSetPreferredLocation,
} from './uvm-policy.js';
export {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_ID_INVALID,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  type UvmProcessorId,
} from './uvm-types.js';
export { UvmVaSpace } from './uvm-va-space.js';
export type { UvmTimingPorts, UvmWork } from './uvm-work.js';
