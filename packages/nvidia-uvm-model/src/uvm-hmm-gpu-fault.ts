import {
  GPU_LEAF_4K,
  GPU_PTE_ATOMIC,
  GPU_PTE_FOREIGN,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
} from '@hmm/gpu';
import { EACCES, EBUSY, EFAULT, SP_PREEMPT, type Task } from '@hmm/kernel';
import { makeDeviceExclusive, makeDeviceExclusiveRange } from '@hmm/migrate';
import {
  HMM_PFN_LANES,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmmRangeFault,
} from '@hmm/mirror';
import { FOLL_REMOTE, FOLL_WRITE, getUserPages, type MmStruct, type Vma } from '@hmm/mm';
import { accessPte, folioPut, isMigrationPte, NO_PFN, PG_zone_device } from '@hmm/mm/internal';
import { mmuIntervalReadBegin, mmuIntervalReadRetry } from '@hmm/mmu-notifier';
import { type UvmHmmBlock, uvmHmmLogicalProt, uvmHmmMustUseSysmem, type UvmHmmVaSpace } from './uvm-hmm.js';
import { type UvmHmmMoved, uvmHmmMigrate } from './uvm-hmm-migrate.js';
import {
  maskAnd,
  maskAndNot,
  maskClear,
  maskCopy,
  maskEmpty,
  maskNext,
  maskNextClear,
  maskOr,
  maskSet,
  maskTest,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import {
  UVM_PERF_THRASHING_HINT_TYPE_PIN,
  UVM_PERF_THRASHING_HINT_TYPE_THROTTLE,
} from './uvm-perf-policy.js';
import { uvmPerfPrefetchGetHint } from './uvm-perf-prefetch.js';
import { uvmPerfThrashingGetHint } from './uvm-perf-thrashing.js';
import { packUvmEvent, UvmEventTypeMapRemote } from './uvm-tools.js';
import {
  UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG,
  UVM_FAULT_ACCESS_TYPE_WRITE,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UVM_PROT_NONE,
  UVM_PROT_READ_WRITE,
  UvmEventMapRemoteCausePolicy,
} from './uvm-types.js';
import { policyAccessedBy } from './uvm-va-policy.js';

/** Faults of one block, one VMA and one policy: what one service works on. */
export interface UvmHmmFaults {
  readonly hmm: UvmHmmBlock;
  readonly faulted: UvmPageMask;
  readonly writes: UvmPageMask;
  readonly atomics: UvmPageMask;
  /** Pages whose fault the detector refused: left out. */
  throttled: number;
  /** Whether the thrashing detector is asked. */
  readonly hinted: boolean;
  /** What was done, for its cost. */
  moved: UvmHmmMoved;
  remoteRuns: number;
}

/** Retries after which a service gives up; the real loop has no limit. */
const MAX_ROUNDS = 64;

/** Faults to gather, with nothing in them yet; `hinted` is false for those that the thrashing detector is not asked about. */
export function newHmmFaults(hmm: UvmHmmBlock, hinted = true): UvmHmmFaults {
  return {
    hmm,
    faulted: newMask(),
    writes: newMask(),
    atomics: newMask(),
    throttled: 0,
    hinted,
    moved: { pages: 0, transfers: 0, zeroed: 0, copyNs: 0 },
    remoteRuns: 0,
  };
}

/** Adds a fault: page of the block, access type. */
export function addHmmFault(faults: UvmHmmFaults, page: number, access: number): void {
  maskSet(faults.faulted, page);
  if (access >= UVM_FAULT_ACCESS_TYPE_WRITE) maskSet(faults.writes, page);
  if (access === UVM_FAULT_ACCESS_TYPE_ATOMIC_STRONG) maskSet(faults.atomics, page);
}

/**
 * Whether a VMA lets an access be: 0, `-EFAULT` where there is nothing to access, `-EACCES` for a write to read-only
 * memory.
 */
export function hmmAccessErrno(vma: Vma | undefined, access: number): number {
  if (vma === undefined) return -EFAULT;
  const prot = uvmHmmLogicalProt(vma);
  if (prot === UVM_PROT_NONE) return -EACCES;
  return access >= UVM_FAULT_ACCESS_TYPE_WRITE && prot < UVM_PROT_READ_WRITE ? -EACCES : 0;
}

/**
 * Serves GPU faults on system memory: migrates the pages with what the prefetcher
 * adds, or leaves them where they are, and maps what is there. The caller holds `mmap_lock` for reading on `vma`, which allows
 * the accesses.
 * @returns 0, or the negative errno that makes the faults fatal.
 * @uvm uvm_hmm.c uvm_hmm_va_block_service_locked (without: other GPUs, trackers of pushes)
 */
export function* uvmHmmServiceGpuFaults(faults: UvmHmmFaults, vma: Vma): Task<number> {
  const { hmm } = faults;
  const { space, block } = hmm;
  const { driver } = space.space;
  const { sched } = driver.kernel;
  const region = space.region(hmm, vma, block.start + maskNext(faults.faulted, 0));
  const toGpu = selectPages(faults, vma);
  if (maskEmpty(faults.faulted)) return 0;
  const pages = newMask();
  maskCopy(pages, faults.faulted);
  if (!maskEmpty(toGpu)) {
    const { context: ctx } = space.space;
    uvmPerfPrefetchGetHint(ctx, block, UVM_ID_GPU, toGpu, region);
    maskOr(pages, ctx.prefetch);
    maskOr(toGpu, ctx.prefetch);
  }
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (sched.exploring) yield SP_PREEMPT;
    if (round > 0) driver.tools.counters.retries++;
    yield* breakSharing(faults, round);
    if (!maskEmpty(toGpu)) yield* migrateIn(faults, vma, toGpu);
    const done = yield* mapPages(faults, pages);
    if (done !== -EBUSY) return done;
  }
  return -EBUSY;
}

/**
 * Maps the pages of `mask` that are in device memory, as a request to move them there does: a GPU that uses them does not
 * fault. What the address space has changed meanwhile is looked at again. The caller holds `mmap_lock` for reading.
 * @uvm uvm_migrate.c block_migrate_add_mappings (without: other GPUs)
 */
export function* uvmHmmMapResident(hmm: UvmHmmBlock, mask: UvmPageMask): Task {
  const pages = newMask();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    maskCopy(pages, mask);
    maskAnd(pages, hmm.block.gpu.resident);
    maskAndNot(pages, hmm.block.gpu.read);
    if (maskEmpty(pages)) return;
    if ((yield* mapPages(newHmmFaults(hmm), pages)) !== -EBUSY) return;
  }
}

/** Of the faulted pages those that go to the GPU; throttled ones leave the service. */
function selectPages(faults: UvmHmmFaults, vma: Vma): UvmPageMask {
  const { hmm, faulted } = faults;
  const { space, block } = hmm;
  const { driver } = space.space;
  const toGpu = newMask();
  const ctx = space.space.context;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT, driver.clock.time());
  const stay = driver.global.forceSysmem || uvmHmmMustUseSysmem(space, vma);
  const { policy } = block.range;
  for (let page = maskNext(faulted, 0); page < PAGES_PER_BLOCK; page = maskNext(faulted, page + 1)) {
    const hint = faults.hinted ? uvmPerfThrashingGetHint(ctx, block, page, UVM_ID_GPU) : undefined;
    if (hint?.type === UVM_PERF_THRASHING_HINT_TYPE_THROTTLE) {
      maskClear(faulted, page);
      faults.throttled++;
      continue;
    }
    const pinned = hint?.type === UVM_PERF_THRASHING_HINT_TYPE_PIN && hint.residency === UVM_ID_CPU;
    const here = maskTest(block.gpu.resident, page);
    const remote = policy.preferredLocation === UVM_ID_CPU || policyAccessedBy(policy, UVM_ID_GPU);
    const prefers = policy.preferredLocation === UVM_ID_GPU;
    if (!stay && !here && !pinned && (prefers || !remote)) maskSet(toGpu, page);
  }
  return toGpu;
}

/**
 * Pages that are written and still shared with another process get copies of their own, in system memory, before they
 * move. Done only after a round found that it was needed.
 */
function* breakSharing(faults: UvmHmmFaults, round: number): Task {
  const { hmm, writes, faulted } = faults;
  if (round === 0) return;
  for (let page = maskNext(writes, 0); page < PAGES_PER_BLOCK; page = maskNext(writes, page + 1)) {
    if (!maskTest(faulted, page)) continue;
    yield* getUserPages(hmm.space.mm, hmm.block.start + page, 1, FOLL_WRITE | FOLL_REMOTE, undefined);
  }
}

/** Moves pages to the GPU, making room first. */
function* migrateIn(faults: UvmHmmFaults, vma: Vma, toGpu: UvmPageMask): Task {
  const { hmm, moved } = faults;
  const { space, block } = hmm;
  const pages = newMask();
  maskCopy(pages, toGpu);
  maskAndNot(pages, block.gpu.resident);
  let wanted = 0;
  for (let page = maskNext(pages, 0); page < PAGES_PER_BLOCK; page = maskNext(pages, page + 1)) wanted++;
  yield* space.devmem.ensureRoom(wanted);
  if (!hmm.migrateLock.tryFast()) yield* hmm.migrateLock.lock();
  const more = yield* uvmHmmMigrate({
    hmm,
    start: block.start,
    vma,
    to: UVM_ID_GPU,
    pages,
    faulted: faults.faulted,
    written: faults.writes,
    faultPage: NO_PFN,
  });
  hmm.migrateLock.unlock();
  moved.pages += more.pages;
  moved.transfers += more.transfers;
  moved.zeroed += more.zeroed;
  moved.copyNs += more.copyNs;
}

/**
 * Maps what the process's page table has for the pages, faulting in those that the GPU waits for. `-EBUSY` when the address
 * space changed meanwhile or a page to be written is not this process's own: once more.
 */
function* mapPages(faults: UvmHmmFaults, pages: UvmPageMask): Task<number> {
  const { hmm, faulted, writes } = faults;
  const { block, notifier, space } = hmm;
  const first = maskNext(pages, 0);
  let outer = first;
  for (let at = first; at < PAGES_PER_BLOCK; at = maskNext(pages, outer)) outer = maskNextClear(pages, at);
  const range: HmmRange = {
    notifier,
    notifierSeq: yield* mmuIntervalReadBegin(notifier),
    start: block.start + first,
    end: block.start + outer,
    hmmPfns: new Int32Array(HMM_PFN_LANES * (outer - first)),
    defaultFlags: 0,
    pfnFlagsMask: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
    devPrivateOwner: space.devmem.owner,
  };
  for (let page = first; page < outer; page++) {
    if (!maskTest(faulted, page)) continue;
    const write = maskTest(writes, page) ? HMM_PFN_REQ_WRITE : 0;
    range.hmmPfns[HMM_PFN_LANES * (page - first)] = HMM_PFN_REQ_FAULT | write;
  }
  const walked = hmmRangeFault(space.mm, range);
  const ret = typeof walked === 'number' ? walked : yield* walked;
  if (ret !== 0) return ret;
  const exclusive = yield* takeExclusive(faults, range, first);
  if (exclusive !== 0) return exclusive;
  if (!block.lock.tryFast()) yield* block.lock.lock();
  const stale = mmuIntervalReadRetry(notifier, range.notifierSeq);
  const complete = stale ? false : installPtes(faults, pages, range, first);
  block.lock.unlock();
  return complete ? 0 : -EBUSY;
}

/** System-scope atomics on a page that stays in host memory need the page for the device alone, without native atomics. */
function* takeExclusive(faults: UvmHmmFaults, range: HmmRange, first: number): Task<number> {
  const { hmm, atomics } = faults;
  const { driver } = hmm.space.space;
  const { memory, owner } = hmm.space.devmem;
  if (driver.links.nativeAtomics(UVM_ID_GPU, UVM_ID_CPU)) return 0;
  for (let page = maskNext(atomics, 0); page < PAGES_PER_BLOCK; page = maskNext(atomics, page + 1)) {
    const at = HMM_PFN_LANES * (page - first);
    if (((memory.map.flags[range.hmmPfns[at + 1] ?? 0] ?? 0) & PG_zone_device) !== 0) continue;
    const pfn = yield* exclusivePage(hmm.space.mm, hmm.block.start + page, owner);
    if (pfn === NO_PFN) return -EACCES;
    range.hmmPfns[at] = HMM_PFN_VALID | HMM_PFN_WRITE;
    range.hmmPfns[at + 1] = pfn;
    memory.map.unlock(memory.map.folio(pfn));
    folioPut(memory, pfn);
  }
  return 0;
}

/**
 * Takes a page from the CPU by the call that the kernel has: its frame, the folio locked and with a reference; `NO_PFN` when it
 * cannot be had.
 * @uvm uvm_hmm.c hmm_make_device_exclusive_range (without: several pages in one call)
 */
function* exclusivePage(mm: MmStruct, vpn: number, owner: number): Task<number> {
  if (mm.kernel.does.exclusivePageByPage) return Math.max(yield* makeDeviceExclusive(mm, vpn, owner), NO_PFN);
  const got: number[] = [];
  const count = yield* makeDeviceExclusiveRange(mm, vpn, vpn + 1, got, owner);
  return count > 0 ? (got[0] ?? NO_PFN) : NO_PFN;
}

/**
 * Whether the process still has device frame `pfn` at page `vpn`. The notifier does not tell of moves that the driver itself makes: while
 * other pages are taken for atomics, a CPU fault may have brought the page home.
 */
function stillThere({ devmem, mm }: UvmHmmVaSpace, vpn: number, pfn: number): boolean {
  if (!devmem.holds(pfn)) return true;
  const { memory } = devmem;
  const entry = memory.tables.findPte(mm.root, vpn);
  if (entry < 0) return false;
  accessPte(memory, entry, false);
  const { lanes } = memory.tables;
  return lanes[entry + 1] === pfn && !isMigrationPte(lanes[entry] ?? 0);
}

/** Writes the GPU's entries; false when a page to be written may not be, or is not there any more. */
function installPtes(faults: UvmHmmFaults, pages: UvmPageMask, range: HmmRange, first: number): boolean {
  const { atomics, hmm, writes, faulted } = faults;
  const { block } = hmm;
  let complete = true;
  let remoteFrom = -1;
  for (let page = maskNext(pages, 0); page < PAGES_PER_BLOCK; page = maskNext(pages, page + 1)) {
    const flags = range.hmmPfns[HMM_PFN_LANES * (page - first)] ?? 0;
    if ((flags & HMM_PFN_VALID) === 0) continue;
    const writable = (flags & HMM_PFN_WRITE) !== 0;
    const pfn = range.hmmPfns[HMM_PFN_LANES * (page - first) + 1] ?? 0;
    const shared = !writable && maskTest(faulted, page) && maskTest(writes, page);
    const gone = maskTest(atomics, page) && !stillThere(hmm.space, block.start + page, pfn);
    if (shared || gone) {
      complete = false;
      continue;
    }
    const remote = mapOne(faults, page, pfn, writable);
    if (remote && remoteFrom < 0) remoteFrom = page;
    const next = maskNext(pages, page + 1);
    if (remoteFrom >= 0 && (!remote || next !== page + 1)) {
      recordRemote(hmm.space, block.start + remoteFrom, (remote ? page + 1 : page) - remoteFrom);
      faults.remoteRuns++;
      remoteFrom = -1;
    }
  }
  return complete;
}

/** Maps one page; returns whether it is in host memory. */
function mapOne(faults: UvmHmmFaults, page: number, pfn: number, writable: boolean): boolean {
  const { block, space } = faults.hmm;
  const { driver, instance } = space.space;
  const { memory } = space.devmem;
  const remote = ((memory.map.flags[pfn] ?? 0) & PG_zone_device) === 0;
  let flags = GPU_PTE_VALID | GPU_PTE_FOREIGN | (remote ? GPU_PTE_SYSMEM : 0);
  maskSet(block.gpu.read, page);
  if (writable) {
    flags |= GPU_PTE_WRITE;
    maskSet(block.gpu.write, page);
    const native = !remote || driver.links.nativeAtomics(UVM_ID_GPU, UVM_ID_CPU);
    if (native || maskTest(faults.atomics, page)) {
      flags |= GPU_PTE_ATOMIC;
      maskSet(block.gpu.atomic, page);
    }
  }
  instance.table.map(block.start + page, 1, pfn, flags, GPU_LEAF_4K);
  if (remote) driver.tools.counters.remoteMaps++;
  return remote;
}

function recordRemote(space: UvmHmmVaSpace, vpn: number, pages: number): void {
  const { driver } = space.space;
  const value = packUvmEvent(UvmEventMapRemoteCausePolicy, UVM_ID_GPU, UVM_ID_CPU);
  driver.tools.record(UvmEventTypeMapRemote, driver.clock.time(), vpn, pages, value);
}
