import { EACCES, EFAULT, ENOMEM, type Task } from '@hmm/kernel';
import { thrashes } from './uvm-perf-thrashing.js';
import {
  packUvmEvent,
  UvmEventTypeCpuFault,
  UvmEventTypeThrottlingEnd,
  UvmEventTypeThrottlingStart,
} from './uvm-tools.js';
import {
  eventAccessType,
  UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG,
  UVM_FAULT_ACCESS_TYPE_READ,
  UVM_FAULT_ACCESS_TYPE_WRITE,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { FAULT_THROTTLED, uvmVaBlockAddFault, uvmVaBlockServiceLocked } from './uvm-va-block-service.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/**
 * A CPU fault on managed memory: serves it with the CPU as faulting processor, sleeping first where
 * the thrashing detector throttles the CPU.
 * @returns 0; -EFAULT where no managed memory is; -EACCES where the kernel does not let the CPU do that; -ENOMEM.
 * @uvm uvm.c uvm_vm_fault (all)
 */
export function* uvmVmFault(space: UvmVaSpace, vpn: number, write: boolean): Task<number> {
  const range = space.range(vpn);
  if (range !== undefined && range.cpuProt < (write ? UVM_PROT_READ_WRITE : UVM_PROT_READ_ONLY))
    return -EACCES;
  const { clock, tools } = space.driver;
  space.driver.unpinUntil(clock.time());
  tools.counters.cpuFaults++;
  let outcome = yield* uvmCpuFault(space, vpn, write, false);
  while (outcome === THROTTLED) {
    yield* throttled(space, vpn);
    outcome = yield* uvmCpuFault(space, vpn, write, true);
  }
  return outcome;
}

/** What {@link uvmCpuFault} returns where the CPU has to sleep before it tries again. */
const THROTTLED = 1;

/**
 * One try, with the locks held. Who has `slept` has been recorded before.
 * @uvm uvm_va_space.c uvm_va_space_cpu_fault (without: NUMA nodes, entries of the power-management lock)
 */
function* uvmCpuFault(space: UvmVaSpace, vpn: number, write: boolean, slept: boolean): Task<number> {
  const { clock, tools, work } = space.driver;
  const { sched } = space.kernel;
  if (!space.lock.tryReadFast()) yield* space.lock.read();
  const block = space.block(vpn);
  if (block === undefined) {
    space.lock.unlockRead();
    return -EFAULT;
  }
  if (!block.lock.tryFast()) yield* block.lock.lock();
  const { context: ctx } = space;
  const began = clock.time();
  const shown = write ? UVM_FAULT_ACCESS_TYPE_WRITE : UVM_FAULT_ACCESS_TYPE_READ;
  const value = packUvmEvent(eventAccessType(shown), UVM_ID_CPU, UVM_ID_GPU);
  if (!slept) tools.record(UvmEventTypeCpuFault, began, vpn, 1, value);
  const lookUp = work.cpuLookedUp();
  yield* sched.delay(lookUp);
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT, began);
  clock.cpuService(thrashes(block, vpn - block.start), slept, ctx);
  const outcome = serviceLocked(space, block, vpn, write);
  const rest = outcome === THROTTLED ? 0 : work.cpuFaultServed(space.id, block.pages, ctx.done) - lookUp;
  const back = Math.max(0, Math.min(rest, work.cpuReturns()));
  if (rest > back) yield* sched.delay(rest - back);
  block.lock.unlock();
  space.lock.unlockRead();
  if (back > 0) yield* sched.delay(back);
  return outcome;
}

/** @uvm uvm_va_block.c block_cpu_fault_locked (without: NUMA nodes, other GPUs) */
function serviceLocked({ context: ctx }: UvmVaSpace, block: UvmVaBlock, vpn: number, write: boolean): number {
  const access = write ? UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG : UVM_FAULT_ACCESS_TYPE_READ;
  const found = uvmVaBlockAddFault(ctx, block, UVM_ID_CPU, vpn - block.start, access);
  if (found === FAULT_THROTTLED) return THROTTLED;
  return uvmVaBlockServiceLocked(ctx, block, UVM_ID_CPU) ? 0 : -ENOMEM;
}

/** The CPU sleeps, outside of all locks of the driver but its caller's. */
function* throttled({ context: ctx, driver, kernel }: UvmVaSpace, vpn: number): Task {
  const { clock, tools, work } = driver;
  const value = packUvmEvent(0, UVM_ID_CPU, UVM_ID_CPU);
  tools.record(UvmEventTypeThrottlingStart, clock.time(), vpn, 1, value);
  yield* kernel.sched.delay(work.cpuThrottled(ctx.hint.end - ctx.startTime));
  tools.record(UvmEventTypeThrottlingEnd, clock.time(), vpn, 1, value);
}
