import type { NonReplayableFault } from '@hmm/gpu';
import { alignDown, EFAULT, HPAGE_PMD_ORDER, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { Vma } from '@hmm/mm';
import type { UvmAts } from './uvm-ats.js';
import { newAtsFaults, uvmAtsServiceFaults } from './uvm-ats-faults.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import { recordFatal } from './uvm-fatal-fault.js';
import { addHmmFault, hmmAccessErrno, newHmmFaults, uvmHmmServiceGpuFaults } from './uvm-hmm-gpu-fault.js';
import type { UvmHmmVaSpace } from './uvm-hmm.js';
import { maskSet, maskTest } from './uvm-page-mask.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeGpuFault } from './uvm-tools.js';
import {
  eventAccessType,
  UVM_FAULT_ACCESS_TYPE_WRITE,
  UVM_ID_CPU,
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
  /** What of it is state. */
  static readonly state = declareState({
    batchId: { saved: 'a total, which decides nothing' },
    context: { saved: 'scratch of one service, written before it is read' },
  });

  /** Counts faults: each is a batch of its own. */
  batchId = 0;
  readonly context: UvmServiceBlockContext;

  constructor(context: UvmServiceBlockContext) {
    this.context = context;
  }
}

/**
 * Serves the shadow buffer of faults that cannot be replayed, those of copy engines and host engines, one by one: the page is
 * brought to the GPU and the channel cleared to go on, or the channel is killed. Other channels run on meanwhile.
 * @uvm uvm_gpu_non_replayable_faults.c uvm_parent_gpu_service_non_replayable_fault_buffer (without: the
 * shadow buffer of the resource manager, errors of it)
 */
export function* uvmServiceNonReplayableFaults(gpu: UvmParentGpu): Task {
  const { nonReplayableFaults } = gpu.hw;
  for (let fault = nonReplayableFaults.shift(); fault !== undefined; fault = nonReplayableFaults.shift()) {
    gpu.nonReplayable.batchId++;
    yield* serviceFault(gpu, fault);
    fault.channel.faulted = false;
  }
}

function* serviceFault(gpu: UvmParentGpu, fault: NonReplayableFault): Task {
  const { channel, vpn, access } = fault;
  const space = gpu.spaceOf(channel.instance.id);
  if (space === undefined) {
    channel.killed = true;
    return;
  }
  const { clock, id, kernel, tools, work } = gpu;
  tools.counters.gpuFaults++;
  const value = packUvmEvent(eventAccessType(access), id, UVM_ID_CPU);
  tools.record(UvmEventTypeGpuFault, clock.time(), vpn, 1, value);
  const reason = yield* serviceAddress(gpu, space, vpn, access);
  yield* kernel.sched.delay(work.nonReplayableServed());
  if (reason === SERVED) return;
  recordFatal(space, vpn, access, reason, 'CE');
  channel.killed = true;
}

/** Serves one page of whatever memory; returns `UvmEventFatalReason*`, or 0. */
function* serviceAddress(gpu: UvmParentGpu, space: UvmVaSpace, vpn: number, access: number): Task<number> {
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  const block = space.managedBlock(vpn);
  const served = block === undefined ? undefined : yield* serviceManaged(gpu, block, vpn, access);
  space.lock.unlockRead();
  if (served !== undefined) return served;
  const { hmm } = space;
  return hmm === undefined ? UvmEventFatalReasonInvalidAddress : yield* serviceSystem(hmm, vpn, access);
}

function* serviceManaged(
  { clock, id, kernel, nonReplayable }: UvmParentGpu,
  block: UvmVaBlock,
  vpn: number,
  access: number,
): Task<number> {
  if (!block.lock.tryFast()) yield* block.lock.lock();
  const { context: ctx } = nonReplayable;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_NON_REPLAYABLE_FAULT, clock.time());
  uvmVaBlockAddUnhinted(ctx, block, id, vpn - block.start, access);
  let served = uvmVaBlockServiceLocked(ctx, block, id);
  served ||= uvmVaBlockServeRemotely(ctx, block, id);
  if (ctx.done.copyNs > 0) yield* kernel.sched.delay(ctx.done.copyNs);
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

/**
 * One page of memory that the GPU translates by the CPU's page table.
 * @uvm uvm_gpu_non_replayable_faults.c service_non_managed_fault (without: channels that are torn down
 * meanwhile)
 */
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
