import { EACCES, EFAULT, ENOMEM, type Task } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import type { UvmCpuWarmth } from './uvm-costs.js';
import { maskTest } from './uvm-page-mask.js';
import { cpuFaultTime } from './uvm-service-time.js';
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
 * the thrashing detector throttles the CPU. `cold` says how warm the path is.
 * @returns 0; -EFAULT where no managed memory is; -EACCES where the kernel does not let the CPU do that; -ENOMEM.
 * @uvm uvm.c uvm_vm_fault
 */
export function* uvmVmFault(
  driver: UvmDriver,
  space: UvmVaSpace,
  vpn: number,
  write: boolean,
  cold: UvmCpuWarmth,
): Task<number> {
  const { costs, kernel } = driver;
  const { sched } = kernel;
  const range = space.range(vpn);
  if (range !== undefined && range.cpuProt < (write ? UVM_PROT_READ_WRITE : UVM_PROT_READ_ONLY))
    return -EACCES;
  const access = write ? UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG : UVM_FAULT_ACCESS_TYPE_READ;
  const shown = write ? UVM_FAULT_ACCESS_TYPE_WRITE : UVM_FAULT_ACCESS_TYPE_READ;
  driver.unpinUntil(sched.now);
  driver.tools.counters.cpuFaults++;
  const value = packUvmEvent(eventAccessType(shown), UVM_ID_CPU, UVM_ID_GPU);
  let slept = false;
  for (;;) {
    if (!space.lock.tryReadFast()) yield* space.lock.read();
    const block = space.block(vpn);
    if (block === undefined) {
      space.lock.unlockRead();
      return -EFAULT;
    }
    if (!block.lock.tryFast()) {
      yield* block.lock.lock();
      yield* sched.delay(costs.cpuWakeUp);
    }
    const began = sched.now;
    if (!slept) driver.tools.record(UvmEventTypeCpuFault, began, vpn, 1, value);
    yield* sched.delay(costs.cpuLookUp);
    const done = serveLocked(driver, space, block, vpn, access, cold, slept, began);
    const rest = Math.max(0, done.ns - costs.cpuLookUp);
    const back = Math.min(rest, costs.cpuReturn);
    const left = rest - back;
    if (left > 0 && done.sleep === 0) yield* sched.delay(left);
    block.lock.unlock();
    space.lock.unlockRead();
    if (done.sleep === 0) {
      if (back > 0) yield* sched.delay(back);
      return done.errno;
    }
    yield* throttled(driver, vpn, done.sleep);
    slept = true;
  }
}

interface Served {
  errno: number;
  /** Time of the service, ns. */
  ns: number;
  /** Time to sleep before trying again, ns; 0 when served. */
  sleep: number;
}

const served: Served = { errno: 0, ns: 0, sleep: 0 };

function serveLocked(
  driver: UvmDriver,
  space: UvmVaSpace,
  block: UvmVaBlock,
  vpn: number,
  access: number,
  cold: UvmCpuWarmth,
  slept: boolean,
  now: number,
): Served {
  const { costs, cpuContext: ctx, replayable: state } = driver;
  const page = vpn - block.start;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT, now);
  ctx.hintTime = now + costs.cpuHint;
  ctx.migrationTime = ctx.hintTime + costs.cpuMigration + (slept ? costs.cpuMigrationSlept : 0);
  ctx.mapTime = ctx.hintTime + costs.map;
  if (
    block.thrashing !== undefined &&
    maskTest(block.thrashing.thrashingPages, page) &&
    !state.metThrashing
  ) {
    state.metThrashing = true;
    ctx.migrationTime += costs.firstThrashing;
  }
  served.errno = 0;
  served.sleep = 0;
  const found = uvmVaBlockAddFault(driver, ctx, block, UVM_ID_CPU, page, access);
  if (found === FAULT_THROTTLED) {
    served.sleep = Math.max(1, costs.cpuSleepFactor * (ctx.throttleEnd - now) + costs.cpuSleep);
    return served;
  }
  space.cpuFaults++;
  if (!space.copiedToCpu && block.closestResident(UVM_ID_CPU, page) === UVM_ID_GPU)
    ctx.migrationTime += costs.cpuMigrationFirst;
  if (!uvmVaBlockServiceLocked(driver, ctx, block, UVM_ID_CPU)) served.errno = -ENOMEM;
  if (ctx.copiedPages > 0) space.copiedToCpu = true;
  served.ns = cpuFaultTime(driver, space, block, cold);
  return served;
}

/** The CPU sleeps, outside of all locks of the driver but its caller's. */
function* throttled(driver: UvmDriver, vpn: number, ns: number): Task {
  const { sched } = driver.kernel;
  const value = packUvmEvent(0, UVM_ID_CPU, UVM_ID_CPU);
  driver.tools.record(UvmEventTypeThrottlingStart, sched.now, vpn, 1, value);
  yield* sched.delay(ns);
  driver.tools.record(UvmEventTypeThrottlingEnd, sched.now, vpn, 1, value);
}
