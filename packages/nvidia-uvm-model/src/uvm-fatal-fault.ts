import { GPU_CANCEL_ALL } from '@hmm/gpu';
import { EACCES, EFAULT, EIO, ENOMEM, vpnToHex } from '@hmm/kernel';
import type { UvmFaultBatch } from './uvm-fault-batch.js';
import { packUvmEvent, UvmEventTypeFatalFault } from './uvm-tools.js';
import {
  UVM_FAULT_ACCESS_TYPE_READ,
  UVM_ID_GPU,
  UvmEventFatalReasonInvalidAddress,
  UvmEventFatalReasonInvalidPermissions,
  UvmEventFatalReasonOutOfMemory,
} from './uvm-types.js';
import type { UvmVaSpace } from './uvm-va-space.js';

const ERRNO_OF_REASON: Readonly<Record<number, number>> = {
  [UvmEventFatalReasonInvalidAddress]: -EFAULT,
  [UvmEventFatalReasonInvalidPermissions]: -EACCES,
  [UvmEventFatalReasonOutOfMemory]: -ENOMEM,
};

/**
 * Marks an entry that cannot be served: `UvmEventFatalReason*`, and which of the accesses that wait for the page are to
 * end (`GPU_CANCEL_*`). Nothing ends before the cancel step has looked again.
 */
export function markFatal(batch: UvmFaultBatch, index: number, reason: number, mode = GPU_CANCEL_ALL): void {
  batch.fatal++;
  batch.cancel[index] = mode + 1;
  batch.reason[index] = reason;
}

/** Records a fatal fault, as the tools, the kernel log and the program see it. `engine` is the log's name of who faulted. */
export function recordFatal(
  space: UvmVaSpace,
  vpn: number,
  access: number,
  reason: number,
  engine: string,
): void {
  const { clock, log, tools } = space.driver;
  tools.counters.fatalFaults++;
  tools.record(UvmEventTypeFatalFault, clock.time(), vpn, 1, packUvmEvent(reason, UVM_ID_GPU, UVM_ID_GPU));
  const verb = access > UVM_FAULT_ACCESS_TYPE_READ ? 'VIRT_WRITE' : 'VIRT_READ';
  const text = `Xid 31: MMU Fault: ENGINE ${engine} faulted @ ${vpnToHex(vpn)}. Fault is of type FAULT_PDE ACCESS_TYPE_${verb}`;
  log.push(`NVRM: ${text}`);
  if (space.fatal === undefined) space.fatalErrno = ERRNO_OF_REASON[reason] ?? -EIO;
  const { systemMemoryRefusal: refusal } = space;
  space.fatal ??= refusal === '' || space.range(vpn) !== undefined ? text : `${text}; ${refusal}`;
}
