import { EFAULT, type Task } from '@hmm/kernel';
import { findVma, type Vma } from '@hmm/mm';
import { NO_PFN } from '@hmm/mm/internal';
import type { UvmAts } from './uvm-ats.js';
import { type UvmHmmBlock, uvmHmmMustUseSysmem, type UvmHmmVaSpace } from './uvm-hmm.js';
import { uvmHmmMapResident } from './uvm-hmm-gpu-fault.js';
import { uvmHmmMigrate, type UvmHmmMoved } from './uvm-hmm-migrate.js';
import { uvmMigratePageable } from './uvm-migrate-pageable.js';
import { maskAndNot, maskFill, maskWeight, newMask } from './uvm-page-mask.js';
import { UVM_ID_GPU, type UvmProcessorId } from './uvm-types.js';

/**
 * Moves system memory on request: VMA by VMA and block by block, synchronously. What is not
 * anonymous is passed over.
 * @returns 0; -EFAULT where nothing is mapped at all.
 * @uvm uvm_hmm.c uvm_hmm_migrate_ranges (without: other GPUs, trackers of pushes)
 */
export function* uvmHmmMigrateRange(
  hmm: UvmHmmVaSpace,
  start: number,
  pages: number,
  to: UvmProcessorId,
): Task<number> {
  const { mm } = hmm;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const end = start + pages;
  let seen = false;
  const moved: UvmHmmMoved = { pages: 0, transfers: 0, zeroed: 0, copyNs: 0 };
  for (let at = start; at < end;) {
    const vma = findVma(mm, at);
    if (vma === undefined || vma.start >= end) break;
    seen = true;
    const stop = Math.min(vma.end, end);
    if (vma.ops === null && !uvmHmmMustUseSysmem(hmm, vma)) {
      yield* migrateVmaPart(hmm, vma, { start: Math.max(at, vma.start), end: stop, to }, moved);
    }
    at = stop;
  }
  mm.mmapLock.unlockRead();
  const { driver } = hmm.space;
  yield* driver.kernel.sched.delay(driver.work.systemMigrated(to, moved));
  return seen ? 0 : -EFAULT;
}

/**
 * Moves memory on request that the GPU translates by the CPU's page table: also what is mapped; holes are populated where it goes.
 * @returns 0; -EFAULT where nothing is mapped at all.
 * @uvm uvm_migrate_pageable.c uvm_migrate_pageable (without: NUMA nodes, migrations of a state that other
 * calls hold)
 */
export function* uvmAtsMigrateRange(
  ats: UvmAts,
  hmm: UvmHmmVaSpace,
  start: number,
  pages: number,
  to: UvmProcessorId,
): Task<number> {
  const { mm } = hmm;
  const moved: UvmHmmMoved = { pages: 0, transfers: 0, zeroed: 0, copyNs: 0 };
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const end = start + pages;
  let seen = false;
  for (let at = start; at < end;) {
    const vma = findVma(mm, at);
    if (vma === undefined || vma.start >= end) break;
    seen = true;
    const stop = Math.min(vma.end, end);
    if (vma.ops === null) yield* uvmMigratePageable(ats, vma, Math.max(at, vma.start), stop, to, moved);
    at = stop;
  }
  mm.mmapLock.unlockRead();
  const { driver } = hmm.space;
  yield* driver.kernel.sched.delay(driver.work.systemMigrated(to, moved));
  return seen ? 0 : -EFAULT;
}

/** The part of one VMA; what was done is added to `total`. */
function* migrateVmaPart(
  hmm: UvmHmmVaSpace,
  vma: Vma,
  { start, end, to }: { readonly start: number; readonly end: number; readonly to: UvmProcessorId },
  total: UvmHmmMoved,
): Task {
  for (let at = start; at < end;) {
    const found = yield* hmm.block(at);
    if (typeof found === 'number') return;
    const { block } = found;
    const outer = Math.min(end, block.start + block.pages);
    const pages = newMask();
    maskFill(pages, at - block.start, outer - block.start);
    if (to === UVM_ID_GPU) {
      maskAndNot(pages, block.gpu.resident);
      yield* hmm.devmem.ensureRoom(maskWeight(pages));
    }
    if (!found.migrateLock.tryFast()) yield* found.migrateLock.lock();
    const base = { hmm: found, start: block.start, vma, to, pages, faulted: undefined, written: undefined };
    const moved = yield* uvmHmmMigrate({ ...base, faultPage: NO_PFN });
    found.migrateLock.unlock();
    if (to === UVM_ID_GPU) yield* mapMoved(found, at - block.start, outer - block.start);
    total.pages += moved.pages;
    total.copyNs += moved.copyNs;
    at = outer;
  }
}

/** Single pass: the pages of a block that are in device memory now are mapped at once. */
function* mapMoved(found: UvmHmmBlock, first: number, outer: number): Task {
  const pages = newMask();
  maskFill(pages, first, outer);
  yield* uvmHmmMapResident(found, pages);
}
