import type { NonReplayableFault } from '@hmm/gpu';
import { alignDown, EFAULT, HPAGE_PMD_ORDER, type Task } from '@hmm/kernel';
import type { Vma } from '@hmm/mm';
import type { UvmAts } from './uvm-ats.js';
import { newAtsFaults, uvmAtsServiceFaults } from './uvm-ats-faults.js';
import type { UvmDriver } from './uvm-driver.js';
import { recordFatal } from './uvm-fatal-fault.js';
import { addHmmFault, hmmAccessErrno, newHmmFaults, uvmHmmServiceGpuFaults } from './uvm-hmm-gpu-fault.js';
import type { UvmHmmVaSpace } from './uvm-hmm.js';
import { maskSet, maskTest } from './uvm-page-mask.js';
import { UvmServiceContext } from './uvm-service-context.js';
import { packUvmEvent, UvmEventTypeGpuFault } from './uvm-tools.js';
import {
  eventAccessType,
  UVM_FAULT_ACCESS_TYPE_WRITE,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_NON_REPLAYABLE_FAULT,
  UvmEventFatalReasonInvalidAddress,
  UvmEventFatalReasonInvalidPermissions,
  UvmEventFatalReasonOutOfMemory,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import {
  uvmVaBlockAddUnhinted,
  uvmVaBlockServeRemotely,
  uvmVaBlockServiceLocked,
} from './uvm-va-block-service.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** No reason: the fault was served. */
const SERVED = 0;

/** The driver's state of the faults that cannot be replayed. @uvm uvm_forward_decl.h uvm_non_replayable_fault_buffer_t */
export class UvmNonReplayableFaults {
  /** Counts faults: each is a batch of its own. */
  batchId = 0;
  readonly context = new UvmServiceContext();
}

/**
 * Serves the shadow buffer of faults that cannot be replayed, those of copy engines and host engines, one by one: the page is
 * brought to the GPU and the channel cleared to go on, or the channel is killed. Other channels run on meanwhile.
 * @uvm uvm_gpu_non_replayable_faults.c uvm_parent_gpu_service_non_replayable_fault_buffer
 */
export function* uvmServiceNonReplayableFaults(driver: UvmDriver): Task {
  const { nonReplayableFaults } = driver.gpu;
  for (let fault = nonReplayableFaults.shift(); fault !== undefined; fault = nonReplayableFaults.shift()) {
    driver.nonReplayable.batchId++;
    yield* serviceFault(driver, fault);
    fault.channel.faulted = false;
  }
}

function* serviceFault(driver: UvmDriver, fault: NonReplayableFault): Task {
  const { channel, vpn, access } = fault;
  const space = driver.spaceOf(channel.instance.id);
  if (space === undefined) {
    channel.killed = true;
    return;
  }
  const { now } = driver.kernel.sched;
  driver.tools.counters.gpuFaults++;
  const value = packUvmEvent(eventAccessType(access), UVM_ID_GPU, UVM_ID_CPU);
  driver.tools.record(UvmEventTypeGpuFault, now, vpn, 1, value);
  const reason = yield* serviceAddress(driver, space, vpn, access);
  yield* driver.kernel.sched.delay(driver.costs.gpuService + driver.costs.gpuInterrupt);
  if (reason === SERVED) return;
  recordFatal(driver, space, vpn, access, reason, 'CE');
  channel.killed = true;
}

/** Serves one page of whatever memory; returns `UvmEventFatalReason*`, or 0. */
function* serviceAddress(driver: UvmDriver, space: UvmVaSpace, vpn: number, access: number): Task<number> {
  const block = space.block(vpn);
  if (block !== undefined) return yield* serviceManaged(driver, block, vpn, access);
  const { hmm } = space;
  return hmm === undefined ? UvmEventFatalReasonInvalidAddress : yield* serviceSystem(hmm, vpn, access);
}

function* serviceManaged(driver: UvmDriver, block: UvmVaBlock, vpn: number, access: number): Task<number> {
  if (!block.lock.tryFast()) yield* block.lock.lock();
  const { context: ctx } = driver.nonReplayable;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_NON_REPLAYABLE_FAULT, driver.kernel.sched.now);
  uvmVaBlockAddUnhinted(driver, ctx, block, UVM_ID_GPU, vpn - block.start, access);
  let served = uvmVaBlockServiceLocked(driver, ctx, block, UVM_ID_GPU);
  served ||= uvmVaBlockServeRemotely(driver, ctx, block);
  if (ctx.copyNs > 0) yield* driver.kernel.sched.delay(ctx.copyNs);
  block.lock.unlock();
  return served ? SERVED : UvmEventFatalReasonOutOfMemory;
}

function* serviceSystem(hmm: UvmHmmVaSpace, vpn: number, access: number): Task<number> {
  const { mm } = hmm;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const vma = hmm.vma(vpn);
  let errno = hmmAccessErrno(vma, access);
  const { ats } = hmm.space;
  if (vma !== undefined && errno === 0 && ats !== undefined)
    errno = yield* serviceByTable(ats, vma, hmm, vpn, access);
  else if (vma !== undefined && errno === 0) {
    const block = yield* hmm.block(vpn);
    if (typeof block === 'number') errno = block;
    else {
      const faults = newHmmFaults(block, false);
      addHmmFault(faults, vpn - block.block.start, access);
      errno = yield* uvmHmmServiceGpuFaults(faults, vma);
    }
  }
  mm.mmapLock.unlockRead();
  if (errno === 0) return SERVED;
  return errno === -EFAULT ? UvmEventFatalReasonInvalidAddress : UvmEventFatalReasonInvalidPermissions;
}

/** One page of memory that the GPU translates by the CPU's page table. @uvm uvm_gpu_non_replayable_faults.c service_non_managed_fault */
function* serviceByTable(
  ats: UvmAts,
  vma: Vma,
  hmm: UvmHmmVaSpace,
  vpn: number,
  access: number,
): Task<number> {
  const faults = newAtsFaults(alignDown(vpn, HPAGE_PMD_ORDER));
  const page = vpn - faults.base;
  maskSet(faults.faulted, page);
  if (access >= UVM_FAULT_ACCESS_TYPE_WRITE) maskSet(faults.writes, page);
  yield* uvmAtsServiceFaults(ats, vma, hmm, faults);
  return maskTest(faults.failed, page) ? -EFAULT : 0;
}
