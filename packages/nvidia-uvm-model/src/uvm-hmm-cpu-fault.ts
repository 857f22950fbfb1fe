import type { Task } from '@hmm/kernel';
import { FAULT_FLAG_WRITE, VM_FAULT_SIGBUS, type VmFault } from '@hmm/mm';
import type { UvmHmmDevmem } from './uvm-hmm-devmem.js';
import type { UvmHmmBlock } from './uvm-hmm.js';
import { uvmHmmMigrate, type UvmHmmMove } from './uvm-hmm-migrate.js';
import { maskClip, maskOr, maskSet, newMask, type UvmPageMask } from './uvm-page-mask.js';
import { uvmPerfPrefetchGetHint } from './uvm-perf-prefetch.js';
import { packUvmEvent, UvmEventTypeCpuFault } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UvmEventMemoryAccessTypeRead,
  UvmEventMemoryAccessTypeWrite,
} from './uvm-types.js';

/** A busy block is tried again after this, ns. */
const BUSY_NS = 1000;

/**
 * The CPU touched a page in device memory (`uvm_hmm_migrate_to_ram`): it comes home, and pages that the density tree adds
 * with it. Somebody at work on the block means: let the CPU fault again. A fault of another process, a forked child, moves
 * that page alone.
 * @returns 0 (repeat the access) or `VM_FAULT_SIGBUS`.
 */
export function* uvmHmmMigrateToRam(devmem: UvmHmmDevmem, vmf: VmFault): Task<number> {
  const { driver } = devmem;
  const { sched } = driver.kernel;
  const owner = devmem.ownerOf(vmf.page);
  const hmm = owner?.block.hmm;
  if (owner === undefined || hmm === undefined) return VM_FAULT_SIGBUS;
  if (!hmm.migrateLock.tryLock()) {
    yield* sched.delay(BUSY_NS);
    return 0;
  }
  driver.tools.counters.cpuFaults++;
  const kind =
    (vmf.flags & FAULT_FLAG_WRITE) !== 0 ? UvmEventMemoryAccessTypeWrite : UvmEventMemoryAccessTypeRead;
  driver.tools.record(
    UvmEventTypeCpuFault,
    driver.clock.time(),
    vmf.vpn,
    1,
    packUvmEvent(kind, UVM_ID_CPU, UVM_ID_GPU),
  );
  const same = vmf.vma.mm === hmm.space.mm && vmf.vpn === owner.block.start + owner.page;
  const faulted = newMask();
  const start = same ? hmm.block.start : vmf.vpn - (vmf.vpn % hmm.block.pages);
  maskSet(faulted, vmf.vpn - start);
  const pages = newMask();
  maskOr(pages, faulted);
  if (same) widen(hmm, vmf, faulted, pages);
  const move: UvmHmmMove = {
    hmm,
    start,
    vma: vmf.vma,
    to: UVM_ID_CPU,
    pages,
    faulted,
    written: undefined,
    faultPage: vmf.page,
  };
  const moved = yield* uvmHmmMigrate(move);
  yield* sched.delay(driver.work.systemCpuFaultServed(moved));
  hmm.migrateLock.unlock();
  return 0;
}

/** Adds the pages that the prefetcher takes along, inside VMA and policy. */
function widen(hmm: UvmHmmBlock, vmf: VmFault, faulted: UvmPageMask, pages: UvmPageMask): void {
  const region = hmm.space.region(hmm, vmf.vma, vmf.vpn);
  const { context: ctx } = hmm.space.space;
  uvmPerfPrefetchGetHint(ctx, hmm.block, UVM_ID_CPU, faulted, region);
  maskClip(ctx.prefetch, region.first, region.outer);
  maskOr(pages, ctx.prefetch);
}
