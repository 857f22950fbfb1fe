import type { UvmDriver } from './uvm-driver.js';
import {
  UVM_PERF_THRASHING_HINT_TYPE_NONE,
  UVM_PERF_THRASHING_HINT_TYPE_PIN,
  UVM_PERF_THRASHING_HINT_TYPE_THROTTLE,
} from './uvm-perf-policy.js';
import type { UvmThrashingPages } from './uvm-perf-thrashing.js';
import { UVM_ID_CPU, UVM_ID_GPU, UVM_ID_INVALID, type UvmProcessorId } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';

/** Bit of `UvmThrashingPages.kinds`: permissions of the page were revoked. */
export const HAS_REVOCATION = 2;

/** A hint: what to do with a fault, and where to pin or until when to sleep. */
export interface UvmThrashingHint {
  type: number;
  residency: UvmProcessorId;
  /** End of the throttle period, ns. */
  end: number;
}

/** The one hint that the detector hands out; valid until the next is asked for. */
export const hint: UvmThrashingHint = {
  type: UVM_PERF_THRASHING_HINT_TYPE_NONE,
  residency: UVM_ID_CPU,
  end: 0,
};

/** Opens a period or favours a requester; nobody is favoured in two periods running. */
export function updateThrottling(
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
  now: number,
  nap: number,
): void {
  if (now > (pages.throttleEnd[page] ?? 0)) {
    pages.favoured[page] = pages.favoured[page] === requester + 1 ? 0 : requester + 1;
    pages.throttleEnd[page] = now + nap;
  } else if (pages.favoured[page] === 0) pages.favoured[page] = requester + 1;
}

/** Sets the hint for a fault of `requester` on a thrashing page. @uvm uvm_perf_thrashing.c get_hint_for_migration_thrashing */
export function decide(
  driver: UvmDriver,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
): void {
  const favoured = pages.favoured[page] === requester + 1;
  if (pages.pinnedAt[page] !== 0 && ((pages.kinds[page] ?? 0) & HAS_REVOCATION) !== 0 && !favoured) {
    hint.type = UVM_PERF_THRASHING_HINT_TYPE_THROTTLE;
    return;
  }
  const processors = pages.processors[page] ?? 0;
  const preferred = block.range.policy.preferredLocation;
  if (preferred !== UVM_ID_INVALID && allCanAccess(driver, processors, preferred)) {
    pinAt(preferred);
    return;
  }
  if (
    (preferred === UVM_ID_INVALID || ((processors >>> preferred) & 1) === 0) &&
    fastPin(driver, block, page, processors, requester)
  )
    return;
  const enough = (pages.throttlings[page] ?? 0) >= driver.thrashingParams.pinThreshold;
  if (requester === preferred) preferredRequester(pages, page, requester, favoured, enough);
  else if (pages.pinnedAt[page] !== 0) pinnedPage(driver, pages, page, requester, favoured, processors);
  else if (!favoured) hint.type = UVM_PERF_THRASHING_HINT_TYPE_THROTTLE;
  else if (enough) pinAt(requester);
}

function pinAt(id: UvmProcessorId): void {
  hint.type = UVM_PERF_THRASHING_HINT_TYPE_PIN;
  hint.residency = id;
}

/** Processors that reach each other fast, atomics included, share the page where it is. Returns whether that decides. */
function fastPin(
  driver: UvmDriver,
  block: UvmVaBlock,
  page: number,
  processors: number,
  requester: UvmProcessorId,
): boolean {
  const closest = block.closestResident(requester, page);
  const at = closest === UVM_ID_GPU ? UVM_ID_GPU : UVM_ID_CPU;
  for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
    if (((processors >>> id) & 1) !== 0 && !driver.nativeAtomics(id, at)) return false;
  }
  if (at !== UVM_ID_CPU || !allCanAccess(driver, processors, requester)) pinAt(at);
  else if (requester === UVM_ID_GPU) pinAt(requester);
  return true;
}

function preferredRequester(
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
  favoured: boolean,
  enough: boolean,
): void {
  if (pages.pinnedAt[page] !== 0) {
    if (favoured || pages.pinnedAt[page] === requester + 1) pinAt(requester);
    else hint.type = UVM_PERF_THRASHING_HINT_TYPE_THROTTLE;
  } else if (!favoured) hint.type = UVM_PERF_THRASHING_HINT_TYPE_THROTTLE;
  else if (enough) pinAt(requester);
}

function pinnedPage(
  driver: UvmDriver,
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
  favoured: boolean,
  processors: number,
): void {
  const at = pages.pinnedAt[page] === UVM_ID_GPU + 1 ? UVM_ID_GPU : UVM_ID_CPU;
  if (favoured) {
    const common = allCanAccess(driver, processors, UVM_ID_CPU) ? UVM_ID_CPU : requester;
    pinAt(allCanAccess(driver, processors, requester) ? requester : common);
  } else if (driver.canAccess(requester, at)) pinAt(at);
  else hint.type = UVM_PERF_THRASHING_HINT_TYPE_THROTTLE;
}

function allCanAccess(driver: UvmDriver, processors: number, residency: UvmProcessorId): boolean {
  for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
    if (((processors >>> id) & 1) !== 0 && !driver.canAccess(id, residency)) return false;
  }
  return true;
}
