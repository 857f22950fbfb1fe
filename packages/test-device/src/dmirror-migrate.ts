import { EINVAL, ENOMEM, HmmError, HPAGE_PMD_NR, HPAGE_PMD_ORDER, type Task } from '@hmm/kernel';
import { HMM_PFN_VALID, HMM_PFN_WRITE, type HmmRange } from '@hmm/mirror';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
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
import { migrationPoint } from '@hmm/migrate/internal';
import {
  allocPage,
  mmput,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_READ,
  VM_WRITE,
  vmaLookup,
  type Vma,
  type VmFault,
} from '@hmm/mm';
import {
  allocHugePage,
  mmgetNotZero,
  NO_PFN,
  PG_zone_device,
  copyHighpage,
  folioPut,
} from '@hmm/mm/internal';
import { DPT_XA_TAG_WRITE } from './device-table.js';
import type { DmirrorDevice } from './dmirror-device.js';
import { DMIRROR_BATCH, dmirrorRangeFault, dmirrorReadBack } from './dmirror-fault.js';
import type { Dmirror } from './dmirror.js';
import { HMM_DMIRROR_FLAG_FAIL_ALLOC, type HmmDmirrorCmd } from './uapi.js';

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

/** What selects this device's own pages. @kernel lib/test_hmm.c dmirror_select_device (all) */
function selectDevice(mdevice: DmirrorDevice): number {
  return mdevice.isPrivate ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE : MIGRATE_VMA_SELECT_DEVICE_COHERENT;
}

/** A batch of a migration: what is done between the locks is the direction's own. 0 or a negative errno. */
type Batch = (dmirror: Dmirror, args: MigrateVma) => Task<number>;

/**
 * Pages of a batch of a migration, and what asks for whole large folios.
 * @kernel lib/test_hmm.c dmirror_migrate_to_device (all)
 */
function migrationBatch({ does }: DmirrorDevice): { readonly pages: number; readonly select: number } {
  return does.migratesHugePages
    ? { pages: HPAGE_PMD_NR, select: MIGRATE_VMA_SELECT_COMPOUND }
    : { pages: DMIRROR_BATCH, select: 0 };
}

/** Whether the next allocation was made to fail, which it is once. */
function failsToAllocate(dmirror: Dmirror): boolean {
  const fails = (dmirror.flags & HMM_DMIRROR_FLAG_FAIL_ALLOC) !== 0;
  if (fails) dmirror.flags &= ~HMM_DMIRROR_FLAG_FAIL_ALLOC;
  return fails;
}

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
  const { pages: size, select } = migrationBatch(mdevice);
  let ret = 0;
  for (let at = start; at < end;) {
    const vma = vmaLookup(mm, at);
    if (vma === undefined || (vma.flags & VM_READ) === 0) {
      ret = -EINVAL;
      break;
    }
    const next = Math.min(end, at + size, vma.end);
    const args = migrationOf(mdevice, vma, at, next, flags | select, NO_PFN);
    ret = yield* migrateVmaSetup(args);
    if (ret !== 0) break;
    ret = yield* batch(dmirror, args);
    if (ret !== 0) break;
    at = next;
  }
  mm.mmapLock.unlockRead();
  yield* mmput(mm);
  return ret;
}

/**
 * Migrates a range to the device, then reads it back through the device's table.
 * @returns 0, `-EINVAL`, or `-ENOENT` when a page of the range is not in the table afterwards.
 * @kernel lib/test_hmm.c dmirror_migrate_to_device (all)
 */
export function* dmirrorMigrateToDevice(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  const { corrected } = dmirror.mdevice.options;
  const ret = yield* migrateRange(
    dmirror,
    cmd,
    MIGRATE_VMA_SELECT_SYSTEM,
    function* (_dmirror, args): Task<number> {
      migrateAllocAndCopy(dmirror, args);
      if (dmirror.mm.kernel.sched.exploring) yield* migrationPoint(args);
      yield* migrateVmaPages(args);
      if (!corrected) yield* migrateFinalizeAndMap(dmirror, args);
      yield* migrateVmaFinalize(args);
      return 0;
    },
  );
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

/** @kernel lib/test_hmm.c dmirror_migrate_alloc_and_copy (all) */
function migrateAllocAndCopy(dmirror: Dmirror, args: MigrateVma): void {
  const { mdevice } = dmirror;
  const { map } = mdevice.system;
  const vmaWrite = (args.vma.flags & VM_WRITE) !== 0 && !mdevice.does.holesReadOnly;
  for (let i = 0; i < args.npages; i++) {
    const slot = args.src[i] ?? 0;
    if ((slot & MIGRATE_PFN_MIGRATE) === 0) continue;
    const source = migratePfnToPage(slot);
    if (source !== 0 && ((map.flags[source] ?? 0) & PG_zone_device) !== 0) continue;
    const write = (slot & MIGRATE_PFN_WRITE) !== 0 || (source === 0 && vmaWrite);
    const tag = write ? MIGRATE_PFN_WRITE : 0;
    const order = (slot & MIGRATE_PFN_COMPOUND) !== 0 ? HPAGE_PMD_ORDER : 0;
    if (fillDevicePages(dmirror, args.dst, i, source, order, tag) || order === 0) continue;
    // No large folio is to be had: single pages, for which the core splits what it took.
    for (let part = 0; part < HPAGE_PMD_NR; part++) {
      const from = source === 0 ? 0 : source + part;
      if (fillDevicePages(dmirror, args.dst, i + part, from, 0, tag)) continue;
      throw new HmmError('NULL_DEREFERENCE', 'the driver uses a device page that it did not get');
    }
  }
}

/**
 * Allocates 2^`order` device pages for slot `i`, and copies `source` to them, or zeroes them for a hole.
 * @returns false when there is no memory.
 */
function fillDevicePages(
  dmirror: Dmirror,
  dst: Int32Array,
  i: number,
  source: number,
  order: number,
  tag: number,
): boolean {
  const { mdevice } = dmirror;
  const { system } = mdevice;
  const folio = failsToAllocate(dmirror) ? NO_PFN : mdevice.allocDevmemPage(order);
  if (folio === NO_PFN) return false;
  const backing = mdevice.backingPage(folio);
  for (let part = 0; part < 1 << order; part++) {
    if (source !== 0) copyHighpage(system, backing + part, source + part);
    else system.data.fillPage(backing + part, 0);
  }
  system.map.private[backing] = dmirror.id;
  dst[i] = migratePfn(folio) | tag | (order > 0 ? MIGRATE_PFN_COMPOUND : 0);
  return true;
}

/**
 * Enters the migrated pages in the device's table, without asking whether they are still what is mapped.
 * @kernel lib/test_hmm.c dmirror_migrate_finalize_and_map (all)
 */
function* migrateFinalizeAndMap(dmirror: Dmirror, args: MigrateVma): Task {
  if (!dmirror.mutex.tryFast()) yield* dmirror.mutex.lock();
  for (let i = 0; i < args.npages; i++) {
    if (((args.src[i] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) continue;
    const slot = args.dst[i] ?? 0;
    const page = migratePfnToPage(slot);
    if (page === 0) continue;
    const tag = (slot & MIGRATE_PFN_WRITE) !== 0 ? DPT_XA_TAG_WRITE : 0;
    const parts = (slot & MIGRATE_PFN_COMPOUND) !== 0 ? HPAGE_PMD_NR : 1;
    const backing = dmirror.mdevice.backingPage(page);
    for (let part = 0; part < parts; part++) dmirror.pt.store(args.start + i + part, backing + part, tag);
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
 * @returns 0, also when nothing was there to move, or `-EINVAL`.
 * @kernel lib/test_hmm.c dmirror_migrate_to_system (all)
 */
export function* dmirrorMigrateToSystem(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  return yield* migrateRange(
    dmirror,
    cmd,
    selectDevice(dmirror.mdevice),
    function* (_dmirror, args): Task<number> {
      if (!devmemFaultAllocAndCopy(dmirror, args) && !dmirror.mdevice.does.failedAllocationForgets) {
        yield* migrateVmaFinalize(args);
        return -ENOMEM;
      }
      if (dmirror.mm.kernel.sched.exploring) yield* migrationPoint(args);
      yield* migrateVmaPages(args);
      const moved = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
      for (let i = 0; i < args.npages; i++) if (((args.src[i] ?? 0) & moved) === moved) cmd.cpages++;
      yield* migrateVmaFinalize(args);
      return 0;
    },
  );
}

/**
 * Copies device pages to new pages of system memory and erases them from the device's table.
 * @returns false when memory is used up and the migration is to end there.
 * @kernel lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy (all)
 */
function devmemFaultAllocAndCopy(dmirror: Dmirror, args: MigrateVma): boolean {
  const { system, does } = dmirror.mdevice;
  for (let i = 0; i < args.npages; i++) {
    const slot = args.src[i] ?? 0;
    const page = migratePfnToPage(slot);
    if (page === 0 || (slot & MIGRATE_PFN_MIGRATE) === 0) continue;
    if (((system.map.flags[page] ?? 0) & PG_zone_device) === 0) continue;
    const order = does.migratesHugePages ? dmirror.mdevice.backingOrder(page) : 0;
    if (copyHome(dmirror, args, i, order, failsToAllocate(dmirror))) continue;
    if (!does.failedAllocationEnds && !does.failedAllocationForgets) continue;
    if (order === 0 || !copyHomeByPages(dmirror, args, i)) return false;
  }
  return true;
}

/** Brings the 2^`order` pages of slot `i` home to one new folio. False when it cannot be had. */
function copyHome(dmirror: Dmirror, args: MigrateVma, i: number, order: number, failing: boolean): boolean {
  const { system } = dmirror.mdevice;
  const slot = args.src[i] ?? 0;
  if (failing) return false;
  const target = order > 0 ? allocHugePage(system) : allocPage(system);
  if (target === NO_PFN) return false;
  system.map.tryLock(target);
  if (system.kernel.shouldFail('copy_engine')) {
    system.map.unlock(target);
    folioPut(system, target);
    return true;
  }
  copyFromDevice(dmirror, args.start + i, target, migratePfnToPage(slot), 1 << order);
  args.dst[i] = migratePfn(target) | (slot & MIGRATE_PFN_WRITE) | (order > 0 ? MIGRATE_PFN_COMPOUND : 0);
  return true;
}

/** Brings the large folio of slot `i` home to single pages. False, and none taken, when memory is used up. */
function copyHomeByPages(dmirror: Dmirror, args: MigrateVma, i: number): boolean {
  const { system } = dmirror.mdevice;
  const slot = args.src[i] ?? 0;
  const page = migratePfnToPage(slot);
  for (let part = 0; part < HPAGE_PMD_NR; part++) {
    const target = allocPage(system);
    if (target === NO_PFN) {
      for (let taken = i; taken < i + part; taken++) {
        const given = migratePfnToPage(args.dst[taken] ?? 0);
        system.map.unlock(given);
        folioPut(system, given);
        args.dst[taken] = 0;
      }
      return false;
    }
    system.map.tryLock(target);
    copyFromDevice(dmirror, args.start + i + part, target, page + part, 1);
    args.dst[i + part] = migratePfn(target) | (slot & MIGRATE_PFN_WRITE);
  }
  return true;
}

/** Erases `pages` pages from the device's table and copies their data to `target` on. */
function copyFromDevice(dmirror: Dmirror, vpn: number, target: number, page: number, pages: number): void {
  const { mdevice } = dmirror;
  dmirror.pt.erase(vpn, vpn + pages - 1);
  for (let part = 0; part < pages; part++)
    copyHighpage(mdevice.system, target + part, mdevice.backingPage(page + part));
}

/**
 * The CPU touched a private page: it comes home, with all of its folio if a PMD maps that, and leaves the table of the
 * mirror that brought it here.
 * @returns 0, or VM_FAULT_SIGBUS, or VM_FAULT_OOM. @kernel lib/test_hmm.c dmirror_devmem_fault (all)
 */
export function* dmirrorDevmemFault(mdevice: DmirrorDevice, vmf: VmFault): Task<number> {
  const { map, kernel } = mdevice.system;
  kernel.sched.access(mdevice.mirrorsObject, false);
  const head = map.folio(vmf.page);
  const dmirror = mdevice.mirrors[mdevice.mirrorOf(mdevice.backingPage(head))];
  if (dmirror === undefined) return VM_FAULT_SIGBUS;
  const select = selectDevice(dmirror.mdevice) | (vmf.huge ? MIGRATE_VMA_SELECT_COMPOUND : 0);
  const pages = vmf.huge ? HPAGE_PMD_NR : 1;
  const start = vmf.vpn - (vmf.vpn % pages);
  const args = migrationOf(dmirror.mdevice, vmf.vma, start, start + pages, select, vmf.page);
  if ((yield* migrateVmaSetup(args)) !== 0) return VM_FAULT_SIGBUS;
  if (!devmemFaultAllocAndCopy(dmirror, args)) {
    if (!mdevice.does.failedAllocationForgets) yield* migrateVmaFinalize(args);
    return VM_FAULT_OOM;
  }
  if (kernel.sched.exploring) yield* migrationPoint(args);
  yield* migrateVmaPages(args);
  yield* migrateVmaFinalize(args);
  return 0;
}
