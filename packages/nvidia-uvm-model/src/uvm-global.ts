import { UVM_RELEASE } from './uvm-capability.js';
import { UvmModuleParams } from './uvm-module-params.js';
import { DRIVER_POLICY, type UvmPerfPolicy } from './uvm-perf-policy.js';
import type { UvmPrefetchParams } from './uvm-perf-prefetch.js';
import type { UvmThrashingParams } from './uvm-perf-thrashing.js';

/** What a loaded driver goes by and never changes: module parameters, release, replaced decisions. @uvm uvm_forward_decl.h uvm_global_t */
export class UvmGlobal {
  readonly params: UvmModuleParams;
  readonly policy: UvmPerfPolicy;
  /** Release branch of the driver: 580 unless chosen otherwise. */
  readonly release: number;
  readonly prefetch: UvmPrefetchParams;
  readonly thrashing: UvmThrashingParams;
  /** `uvm_fault_force_sysmem`: faults always end in system memory. */
  readonly forceSysmem: boolean;
  /** `uvm_perf_map_remote_on_native_atomics_fault`. */
  readonly remoteOnNativeAtomics: boolean;
  /** `uvm_global_oversubscription`: what does not fit evicts something else. */
  readonly oversubscription: boolean;

  constructor(
    params: UvmModuleParams = new UvmModuleParams(),
    policy: UvmPerfPolicy = DRIVER_POLICY,
    release: number = UVM_RELEASE,
  ) {
    this.params = params;
    this.policy = policy;
    this.release = release;
    this.prefetch = prefetchParams(params);
    this.thrashing = thrashingParams(params);
    this.forceSysmem = params.get('uvm_fault_force_sysmem') === 1;
    this.remoteOnNativeAtomics = params.get('uvm_perf_map_remote_on_native_atomics_fault') === 1;
    this.oversubscription = params.get('uvm_global_oversubscription') !== 0;
  }
}

function prefetchParams(params: UvmModuleParams): UvmPrefetchParams {
  return {
    enabled: params.get('uvm_perf_prefetch_enable') === 1,
    threshold: params.get('uvm_perf_prefetch_threshold'),
    minFaults: params.get('uvm_perf_prefetch_min_faults'),
  };
}

function thrashingParams(params: UvmModuleParams): UvmThrashingParams {
  const lapse = params.get('uvm_perf_thrashing_lapse_usec') * 1000;
  return {
    enabled: params.get('uvm_perf_thrashing_enable') === 1,
    threshold: params.get('uvm_perf_thrashing_threshold'),
    pinThreshold: params.get('uvm_perf_thrashing_pin_threshold'),
    lapse,
    nap: lapse * params.get('uvm_perf_thrashing_nap'),
    epoch: lapse * params.get('uvm_perf_thrashing_epoch'),
    pin: lapse * params.get('uvm_perf_thrashing_pin'),
    maxResets: params.get('uvm_perf_thrashing_max_resets'),
  };
}
