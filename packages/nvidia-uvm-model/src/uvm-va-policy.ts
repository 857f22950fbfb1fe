import type { UvmOptionalId, UvmProcessorId } from './uvm-types.js';

/** Policy of a range: what advice has set. @uvm uvm_forward_decl.h uvm_va_policy_t */
export interface UvmVaPolicy {
  /** Where the pages prefer to live; -1 when unset. */
  preferredLocation: UvmOptionalId;
  /** Processors that keep a mapping wherever the data is: one bit per processor id. */
  accessedBy: number;
  /** Reads make copies. */
  readDuplication: boolean;
}

/** The policy of memory that nobody advised about. */
export function defaultPolicy(): UvmVaPolicy {
  return { preferredLocation: -1, accessedBy: 0, readDuplication: false };
}

/** Whether `id` is in the accessed-by set. */
export function policyAccessedBy(policy: UvmVaPolicy, id: UvmProcessorId): boolean {
  return ((policy.accessedBy >>> id) & 1) !== 0;
}
