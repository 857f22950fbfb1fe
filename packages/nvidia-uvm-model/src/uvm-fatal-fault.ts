import { GPU_CANCEL_ALL } from '@hmm/gpu';
import { EACCES, EFAULT, EIO, ENOMEM, vpnToHex } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import type { UvmFaultBatch } from './uvm-fault-batch.js';
import { packUvmEvent, UvmEventTypeFatalFault } from './uvm-tools.js';
import {
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

/** Records a fatal fault, as the kernel log and the program see it, and marks its entry for the cancel step. */
export function markFatal(
  driver: UvmDriver,
  batch: UvmFaultBatch,
  space: UvmVaSpace,
  index: number,
  reason: number,
): void {
  batch.fatal++;
  batch.cancel[index] = GPU_CANCEL_ALL + 1;
  const vpn = batch.vpn[index] ?? 0;
  driver.tools.counters.fatalFaults++;
  const { now } = driver.kernel.sched;
  driver.tools.record(UvmEventTypeFatalFault, now, vpn, 1, packUvmEvent(reason, UVM_ID_GPU, UVM_ID_GPU));
  const verb = (batch.access[index] ?? 0) > 1 ? 'VIRT_WRITE' : 'VIRT_READ';
  const text = `Xid 31: MMU Fault: ENGINE GRAPHICS faulted @ ${vpnToHex(vpn)}. Fault is of type FAULT_PDE ACCESS_TYPE_${verb}`;
  driver.log.push(`NVRM: ${text}`);
  if (space.fatal === undefined) space.fatalErrno = ERRNO_OF_REASON[reason] ?? -EIO;
  space.fatal ??= text;
}
