import { GPU_CANCEL_ALL, GPU_CANCEL_WRITE_AND_ATOMIC } from '@hmm/gpu';
import { alignDown, EFAULT, HPAGE_PMD_NR, HPAGE_PMD_ORDER, type Task } from '@hmm/kernel';
import type { Vma } from '@hmm/mm';
import type { UvmAts } from './uvm-ats.js';
import { newAtsFaults, uvmAtsServiceFaults } from './uvm-ats-faults.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import type { UvmFaultBatch } from './uvm-fault-batch.js';
import { markFatal } from './uvm-fatal-fault.js';
import { addHmmFault, hmmAccessErrno, newHmmFaults, uvmHmmServiceGpuFaults } from './uvm-hmm-gpu-fault.js';
import type { UvmHmmVaSpace } from './uvm-hmm.js';
import type { UvmHmmMoved } from './uvm-hmm-migrate.js';
import { maskSet, maskTest } from './uvm-page-mask.js';
import { packUvmEvent, UvmEventTypeGpuFault } from './uvm-tools.js';
import {
  eventAccessType,
  UVM_FAULT_ACCESS_TYPE_PREFETCH,
  UVM_FAULT_ACCESS_TYPE_READ,
  UVM_FAULT_ACCESS_TYPE_WRITE,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UvmEventFatalReasonInvalidAddress,
  UvmEventFatalReasonInvalidPermissions,
} from './uvm-types.js';

/**
 * Serves the entries from position `at` of the order that lie in one block, VMA and policy interval of system memory. @returns the
 * position after them.
 */
export function* serviceHmm(
  gpu: UvmParentGpu,
  batch: UvmFaultBatch,
  hmm: UvmHmmVaSpace,
  at: number,
): Task<number> {
  const { mm } = hmm;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const index = batch.order[at] ?? 0;
  const vpn = batch.vpn[index] ?? 0;
  const vma = hmm.vma(vpn);
  const block = vma === undefined ? -EFAULT : yield* hmm.block(vpn);
  let end = at + 1;
  if (vma === undefined || typeof block === 'number') {
    failHmm(batch, index, -EFAULT);
  } else {
    const faults = newHmmFaults(block);
    const { start, pages } = block.block;
    end = gatherHmm(gpu, batch, vma, Math.min(start + pages, vma.end), at, (one, access) => {
      addHmmFault(faults, one - start, access);
    });
    const errno = yield* uvmHmmServiceGpuFaults(faults, vma);
    batch.throttled += faults.throttled;
    batch.services++;
    if (errno !== 0) for (let i = at; i < end; i++) failHmm(batch, batch.order[i] ?? 0, errno);
    yield* systemServed(gpu, batch, hmm, end - at, faults.moved);
  }
  mm.mmapLock.unlockRead();
  return end;
}

/**
 * As {@link serviceHmm} for memory that the GPU translates by the CPU's page table.
 * @uvm uvm_gpu_replayable_faults.c service_fault_batch_ats_sub (without: the entries of several VMAs in one
 * call)
 */
export function* serviceAts(
  gpu: UvmParentGpu,
  batch: UvmFaultBatch,
  ats: UvmAts,
  hmm: UvmHmmVaSpace,
  at: number,
): Task<number> {
  const { mm } = hmm;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const index = batch.order[at] ?? 0;
  const vpn = batch.vpn[index] ?? 0;
  const vma = hmm.vma(vpn);
  let end = at + 1;
  if (vma === undefined) failHmm(batch, index, -EFAULT);
  else {
    const faults = newAtsFaults(alignDown(vpn, HPAGE_PMD_ORDER));
    const outer = Math.min(faults.base + HPAGE_PMD_NR, vma.end);
    end = gatherHmm(gpu, batch, vma, outer, at, (one, access) => {
      maskSet(faults.faulted, one - faults.base);
      if (access >= UVM_FAULT_ACCESS_TYPE_WRITE) maskSet(faults.writes, one - faults.base);
    });
    yield* uvmAtsServiceFaults(ats, vma, hmm, faults);
    batch.services++;
    for (let i = at; i < end; i++) {
      const entry = batch.order[i] ?? 0;
      if (maskTest(faults.failed, (batch.vpn[entry] ?? 0) - faults.base)) failHmm(batch, entry, -EFAULT);
    }
    yield* systemServed(gpu, batch, hmm, end - at, faults.moved);
  }
  mm.mmapLock.unlockRead();
  return end;
}

/** Lets the time of a service of system memory pass. */
function* systemServed(
  { kernel, replayable, work }: UvmParentGpu,
  batch: UvmFaultBatch,
  hmm: UvmHmmVaSpace,
  taken: number,
  moved: UvmHmmMoved,
): Task {
  const serves = { entries: batch.cached, entered: replayable.interrupted };
  yield* kernel.sched.delay(work.systemServed(hmm.space.id, taken, serves, moved));
}

/** A fault that cannot be served; of writes where reads wait for the same page as well, only the writes end. */
function failHmm(batch: UvmFaultBatch, index: number, errno: number, mode = GPU_CANCEL_ALL): void {
  if ((batch.access[index] ?? 0) === UVM_FAULT_ACCESS_TYPE_PREFETCH) {
    batch.invalidPrefetches++;
    return;
  }
  if (batch.cancel[index] !== 0) return;
  const reason =
    errno === -EFAULT ? UvmEventFatalReasonInvalidAddress : UvmEventFatalReasonInvalidPermissions;
  markFatal(batch, index, reason, mode);
}

/** Adds the entries below page `outer` whose access `vma` allows; others are fatal. Returns the position after them. */
function gatherHmm(
  gpu: UvmParentGpu,
  batch: UvmFaultBatch,
  vma: Vma,
  outer: number,
  at: number,
  add: (vpn: number, access: number) => void,
): number {
  const instance = batch.instance[batch.order[at] ?? 0];
  let i = at;
  for (; i < batch.count; i++) {
    const index = batch.order[i] ?? 0;
    const vpn = batch.vpn[index] ?? 0;
    if (vpn >= outer || batch.instance[index] !== instance) break;
    const access = batch.access[index] ?? 0;
    if (!batch.cancelling) recordGpuFault(gpu, vpn, access);
    const errno = hmmAccessErrno(vma, access);
    if (errno === 0) add(vpn, access);
    else if (readsWait(batch, index) && hmmAccessErrno(vma, UVM_FAULT_ACCESS_TYPE_READ) === 0) {
      add(vpn, UVM_FAULT_ACCESS_TYPE_READ);
      failHmm(batch, index, errno, GPU_CANCEL_WRITE_AND_ATOMIC);
    } else failHmm(batch, index, errno);
  }
  return i;
}

/** Whether reads of the page were merged into an entry that writes. */
function readsWait(batch: UvmFaultBatch, index: number): boolean {
  return (((batch.accessMask[index] ?? 0) >>> UVM_FAULT_ACCESS_TYPE_READ) & 1) !== 0;
}

function recordGpuFault({ clock, tools }: UvmParentGpu, vpn: number, access: number): void {
  tools.counters.gpuFaults++;
  const value = packUvmEvent(eventAccessType(access), UVM_ID_GPU, UVM_ID_CPU);
  tools.record(UvmEventTypeGpuFault, clock.time(), vpn, 1, value);
}
