import { EINVAL, SP_PREEMPT, type Task } from '@hmm/kernel';
import { HMM_PFN_VALID, HMM_PFN_WRITE, type HmmRange } from '@hmm/mirror';
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
  type MigrateVma,
} from '@hmm/migrate';
import {
  allocPage,
  mmgetNotZero,
  mmput,
  NO_PFN,
  PG_zone_device,
  VM_FAULT_SIGBUS,
  VM_READ,
  VM_WRITE,
  vmaLookup,
  type Vma,
  type VmFault,
  copyHighpage,
  folioPut,
} from '@hmm/mm';
import { DPT_XA_TAG_WRITE } from './device-table.js';
import type { DmirrorDevice } from './dmirror-device.js';
import { DMIRROR_BATCH, dmirrorRangeFault, dmirrorReadBack } from './dmirror-fault.js';
import type { Dmirror } from './dmirror.js';
import type { HmmDmirrorCmd } from './uapi.js';

const PAGE_SIZE = 4096;

function migrationOf(
  mdevice: DmirrorDevice,
  vma: Vma,
  start: number,
  end: number,
  flags: number,
  faultPage: number,
): MigrateVma {
  return {
    vma,
    src: new Int32Array(end - start),
    dst: new Int32Array(end - start),
    cpages: 0,
    npages: 0,
    start,
    end,
    pgmapOwner: mdevice.owner,
    flags,
    faultPage,
  };
}

/** What selects this device's own pages. @kernel lib/test_hmm.c dmirror_select_device */
function selectDevice(mdevice: DmirrorDevice): number {
  return mdevice.isPrivate ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE : MIGRATE_VMA_SELECT_DEVICE_COHERENT;
}

/** A batch of a migration: what is done between the locks is the direction's own. */
type Batch = (dmirror: Dmirror, args: MigrateVma) => Task;

/**
 * Migrates the pages of `cmd`, VMA by VMA in batches; what was migrated before an error stays so.
 * @returns 0, or `-EINVAL` at the first page that no readable VMA covers.
 */
function* migrateRange(dmirror: Dmirror, cmd: HmmDmirrorCmd, flags: number, batch: Batch): Task<number> {
  const { mm, mdevice } = dmirror;
  const start = cmd.addr / PAGE_SIZE;
  const end = start + cmd.npages;
  if (!mmgetNotZero(mm)) return -EINVAL;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  let ret = 0;
  for (let at = start; at < end;) {
    const vma = vmaLookup(mm, at);
    if (vma === undefined || (vma.flags & VM_READ) === 0) {
      ret = -EINVAL;
      break;
    }
    const next = Math.min(end, at + DMIRROR_BATCH, vma.end);
    const args = migrationOf(mdevice, vma, at, next, flags, NO_PFN);
    ret = yield* migrateVmaSetup(args);
    if (ret !== 0) break;
    yield* batch(dmirror, args);
    at = next;
  }
  mm.mmapLock.unlockRead();
  yield* mmput(mm);
  return ret;
}

/**
 * Migrates a range to the device, then reads it back through the device's table.
 * @returns 0, `-EINVAL`, or `-ENOENT` when a page of the range is not in the table afterwards.
 * @kernel lib/test_hmm.c dmirror_migrate_to_device
 */
export function* dmirrorMigrateToDevice(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  const { corrected } = dmirror.mdevice.options;
  const ret = yield* migrateRange(dmirror, cmd, MIGRATE_VMA_SELECT_SYSTEM, function* (_dmirror, args): Task {
    migrateAllocAndCopy(dmirror, args);
    if (dmirror.mm.kernel.sched.exploring) yield SP_PREEMPT;
    yield* migrateVmaPages(args);
    if (!corrected) yield* migrateFinalizeAndMap(dmirror, args);
    yield* migrateVmaFinalize(args);
  });
  if (ret !== 0) return ret;
  const { sched } = dmirror.mm.kernel;
  if (corrected) {
    if (sched.exploring) yield* sched.restPoint(MIGRATED);
    yield* mapWhatIsThere(dmirror, cmd);
  }
  if (sched.exploring) yield* sched.restPoint(MAPPED);
  return yield* dmirrorReadBack(dmirror, cmd);
}

/** Where a migration stands that has little else in mind: all is on the device; all that still was is in its table; between. */
const MIGRATED: readonly number[] = [1];
const MAPPED: readonly number[] = [2];
const MAPPING = 3;

/** @kernel lib/test_hmm.c dmirror_migrate_alloc_and_copy */
function migrateAllocAndCopy(dmirror: Dmirror, args: MigrateVma): void {
  const { mdevice } = dmirror;
  const { map, data } = mdevice.system;
  const vmaWrite = (args.vma.flags & VM_WRITE) !== 0;
  for (let i = 0; i < args.npages; i++) {
    const slot = args.src[i] ?? 0;
    if ((slot & MIGRATE_PFN_MIGRATE) === 0) continue;
    const page = mdevice.allocDevmemPage();
    if (page === NO_PFN) continue;
    const backing = mdevice.backingPage(page);
    const source = migratePfnToPage(slot);
    if (source !== 0) copyHighpage(mdevice.system, backing, source);
    else data.fillPage(backing, 0);
    map.private[backing] = dmirror.id;
    const write = (slot & MIGRATE_PFN_WRITE) !== 0 || (source === 0 && vmaWrite);
    args.dst[i] = migratePfn(page) | (write ? MIGRATE_PFN_WRITE : 0);
  }
}

/**
 * Enters the migrated pages in the device's table, without asking whether they are still what is mapped.
 * @kernel lib/test_hmm.c dmirror_migrate_finalize_and_map
 */
function* migrateFinalizeAndMap(dmirror: Dmirror, args: MigrateVma): Task {
  if (!dmirror.mutex.tryFast()) yield* dmirror.mutex.lock();
  for (let i = 0; i < args.npages; i++) {
    if (((args.src[i] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) continue;
    const slot = args.dst[i] ?? 0;
    const page = migratePfnToPage(slot);
    if (page === 0) continue;
    const tag = (slot & MIGRATE_PFN_WRITE) !== 0 ? DPT_XA_TAG_WRITE : 0;
    dmirror.pt.store(args.start + i, dmirror.mdevice.backingPage(page), tag);
  }
  dmirror.mutex.unlock();
}

/** The corrected device's way to map after a migration: whatever a snapshot under the retry protocol finds. */
function* mapWhatIsThere(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task {
  const { notifier, mm, mdevice } = dmirror;
  const first = cmd.addr / PAGE_SIZE;
  if (notifier === undefined || !mmgetNotZero(mm)) return;
  for (let at = first; at < first + cmd.npages; at += DMIRROR_BATCH) {
    const end = Math.min(first + cmd.npages, at + DMIRROR_BATCH);
    const hmmPfns = new Int32Array(2 * (end - at));
    const range: HmmRange = {
      notifier,
      notifierSeq: 0,
      start: at,
      end,
      hmmPfns,
      defaultFlags: 0,
      pfnFlagsMask: 0,
      devPrivateOwner: mdevice.owner,
    };
    if ((yield* dmirrorRangeFault(dmirror, range, () => [MAPPING, at])) !== 0) break;
    for (let vpn = at; vpn < end; vpn++) {
      const flags = hmmPfns[2 * (vpn - at)] ?? 0;
      if ((flags & HMM_PFN_VALID) === 0) continue;
      const page = mdevice.backingPage(hmmPfns[2 * (vpn - at) + 1] ?? 0);
      dmirror.pt.store(vpn, page, (flags & HMM_PFN_WRITE) !== 0 ? DPT_XA_TAG_WRITE : 0);
    }
    dmirror.mutex.unlock();
  }
  yield* mmput(mm);
}

/**
 * Migrates a range back to system memory; `cpages` counts the pages moved.
 * @returns 0, also when nothing was there to move, or `-EINVAL`. @kernel lib/test_hmm.c dmirror_migrate_to_system
 */
export function* dmirrorMigrateToSystem(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  return yield* migrateRange(dmirror, cmd, selectDevice(dmirror.mdevice), function* (_dmirror, args): Task {
    devmemFaultAllocAndCopy(dmirror, args);
    if (dmirror.mm.kernel.sched.exploring) yield SP_PREEMPT;
    yield* migrateVmaPages(args);
    const moved = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
    for (let i = 0; i < args.npages; i++) if (((args.src[i] ?? 0) & moved) === moved) cmd.cpages++;
    yield* migrateVmaFinalize(args);
  });
}

/**
 * Copies device pages to new pages of system memory and erases them from the device's table.
 * @kernel lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy
 */
function devmemFaultAllocAndCopy(dmirror: Dmirror, args: MigrateVma): void {
  const { system } = dmirror.mdevice;
  for (let i = 0; i < args.npages; i++) {
    const slot = args.src[i] ?? 0;
    const page = migratePfnToPage(slot);
    if (page === 0 || (slot & MIGRATE_PFN_MIGRATE) === 0) continue;
    if (((system.map.flags[page] ?? 0) & PG_zone_device) === 0) continue;
    const target = allocPage(system);
    if (target === NO_PFN) continue;
    system.map.tryLock(target);
    if (system.kernel.shouldFail('copy_engine')) {
      system.map.unlock(target);
      folioPut(system, target);
      continue;
    }
    dmirror.pt.erase(args.start + i, args.start + i);
    copyHighpage(system, target, dmirror.mdevice.backingPage(page));
    args.dst[i] = migratePfn(target) | (slot & MIGRATE_PFN_WRITE);
  }
}

/**
 * The CPU touched a private page: it comes home, and leaves the table of the mirror that brought it here.
 * @returns 0 or VM_FAULT_SIGBUS. @kernel lib/test_hmm.c dmirror_devmem_fault
 */
export function* dmirrorDevmemFault(mdevice: DmirrorDevice, vmf: VmFault): Task<number> {
  const { map, kernel } = mdevice.system;
  kernel.sched.access(mdevice.mirrorsObject, false);
  const dmirror = mdevice.mirrors[map.private[mdevice.backingPage(vmf.page)] ?? 0];
  if (dmirror === undefined) return VM_FAULT_SIGBUS;
  const select = selectDevice(dmirror.mdevice);
  const args = migrationOf(dmirror.mdevice, vmf.vma, vmf.vpn, vmf.vpn + 1, select, vmf.page);
  if ((yield* migrateVmaSetup(args)) !== 0) return VM_FAULT_SIGBUS;
  devmemFaultAllocAndCopy(dmirror, args);
  if (mdevice.system.kernel.sched.exploring) yield SP_PREEMPT;
  yield* migrateVmaPages(args);
  yield* migrateVmaFinalize(args);
  return 0;
}
