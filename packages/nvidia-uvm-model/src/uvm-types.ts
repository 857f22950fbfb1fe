/**
 * Enumerations of the UVM driver, with its numbers (the tools' ABI where there is one).
 *
 * @packageDocumentation
 */

/** The CPU, as a processor id. */
export const UVM_ID_CPU = 0;
/** The first GPU, as a processor id; the others follow. */
export const UVM_ID_GPU = 1;
/** No processor. */
export const UVM_ID_INVALID = -1;
/** Processors that a driver knows at most, the CPU among them: a mask of processors is one word. */
export const UVM_ID_MAX_PROCESSORS = 32;

/** The CPU ({@link UVM_ID_CPU}) or a GPU: 1 for the first one. */
export type UvmProcessorId = number;
/** A processor, or {@link UVM_ID_INVALID}. */
export type UvmOptionalId = number;
/** A set of processors: one bit per id. */
export type UvmProcessorMask = number;

/** Whether processor `id` is in `mask`. */
export function processorIn(mask: UvmProcessorMask, id: UvmProcessorId): boolean {
  return ((mask >>> id) & 1) !== 0;
}

/** The first processor of `mask` from `id` on; {@link UVM_ID_INVALID} when there is none. */
export function nextProcessor(mask: UvmProcessorMask, id: UvmProcessorId): UvmOptionalId {
  const rest = id >= UVM_ID_MAX_PROCESSORS ? 0 : mask & (-1 << id);
  return rest === 0 ? UVM_ID_INVALID : 31 - Math.clz32(rest & -rest);
}

/** Protection levels; each includes the one before. */
export const UVM_PROT_NONE = 0;
export const UVM_PROT_READ_ONLY = 1;
export const UVM_PROT_READ_WRITE = 2;
export const UVM_PROT_READ_WRITE_ATOMIC = 3;

/** Access types, in order of intrusiveness. The same numbers as `GPU_ACCESS_*` of `@hmm/gpu`. */
export const UVM_FAULT_ACCESS_TYPE_PREFETCH = 0;
export const UVM_FAULT_ACCESS_TYPE_READ = 1;
export const UVM_FAULT_ACCESS_TYPE_WRITE = 2;
export const UVM_FAULT_ACCESS_TYPE_ATOMIC_WEAK = 3;
export const UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG = 4;

/** Access types in event records. @uvm uvm_types.h UvmEventMemoryAccessType */
export const UvmEventMemoryAccessTypeRead = 1;
export const UvmEventMemoryAccessTypeWrite = 2;
export const UvmEventMemoryAccessTypeAtomic = 3;
export const UvmEventMemoryAccessTypePrefetch = 4;

/** Why data moved. @uvm uvm_types.h UvmEventMigrationCause */
export const UvmEventMigrationCauseUser = 1;
export const UvmEventMigrationCauseCoherence = 2;
export const UvmEventMigrationCausePrefetch = 3;
export const UvmEventMigrationCauseEviction = 4;
export const UvmEventMigrationCauseAccessCounters = 5;

/** Why memory was mapped remotely. @uvm uvm_types.h UvmEventMapRemoteCause */
export const UvmEventMapRemoteCauseCoherence = 1;
export const UvmEventMapRemoteCauseThrashing = 2;
export const UvmEventMapRemoteCausePolicy = 3;
export const UvmEventMapRemoteCauseOutOfMemory = 4;
export const UvmEventMapRemoteCauseEviction = 5;

/** Why a fault was fatal. @uvm uvm_types.h UvmEventFatalReason */
export const UvmEventFatalReasonInvalidAddress = 1;
export const UvmEventFatalReasonInvalidPermissions = 2;
export const UvmEventFatalReasonInvalidFaultType = 3;
export const UvmEventFatalReasonOutOfMemory = 4;
export const UvmEventFatalReasonInternalError = 5;
export const UvmEventFatalReasonInvalidOperation = 6;

/** What makes pages resident. @uvm uvm_va_block_types.h uvm_make_resident_cause_t */
export const UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT = 0;
export const UVM_MAKE_RESIDENT_CAUSE_NON_REPLAYABLE_FAULT = 1;
export const UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER = 2;
export const UVM_MAKE_RESIDENT_CAUSE_PREFETCH = 3;
export const UVM_MAKE_RESIDENT_CAUSE_EVICTION = 4;
export const UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE = 5;
export const UVM_MAKE_RESIDENT_CAUSE_API_HINT = 6;

/** One of `UVM_MAKE_RESIDENT_CAUSE_*`. */
export type UvmMakeResidentCause = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** The access type as event records have it. */
export function eventAccessType(access: number): number {
  if (access === UVM_FAULT_ACCESS_TYPE_PREFETCH) return UvmEventMemoryAccessTypePrefetch;
  if (access === UVM_FAULT_ACCESS_TYPE_READ) return UvmEventMemoryAccessTypeRead;
  return access === UVM_FAULT_ACCESS_TYPE_WRITE
    ? UvmEventMemoryAccessTypeWrite
    : UvmEventMemoryAccessTypeAtomic;
}
