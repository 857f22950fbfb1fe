import { PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from '@hmm/migrate';
import { allocPage, type Vma } from '@hmm/mm';
import { NO_PFN } from '@hmm/mm/internal';
import type { UvmHmmBlock } from './uvm-hmm.js';
import {
  maskClear,
  maskNext,
  maskNextClear,
  maskSet,
  maskTest,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { uvmPerfThrashingEvent } from './uvm-perf-thrashing.js';
import { packUvmEvent, UvmEventTypeMigration } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UvmEventMigrationCauseCoherence,
  UvmEventMigrationCausePrefetch,
  UvmEventMigrationCauseUser,
  type UvmProcessorId,
} from './uvm-types.js';

/** What a migration of pages of one block is about. */
export interface UvmHmmMove {
  readonly hmm: UvmHmmBlock;
  /** Page that the masks count from: the block's first, but for a mapping elsewhere (another process, after mremap). */
  readonly start: number;
  readonly vma: Vma;
  readonly to: UvmProcessorId;
  /** The pages, all inside the VMA. */
  readonly pages: UvmPageMask;
  /** Those of them that faulted; undefined for a request. */
  readonly faulted: UvmPageMask | undefined;
  /** Those that the device writes: what must not be shared. */
  readonly written: UvmPageMask | undefined;
  /** The device page that a CPU fault holds, or 0. */
  readonly faultPage: number;
}

/** What a migration did. */
export interface UvmHmmMoved {
  /** Pages moved. */
  pages: number;
  transfers: number;
  zeroed: number;
  copyNs: number;
}

/**
 * Moves pages of a block by `migrate_vma`, best effort: what cannot move stays. The caller
 * holds `mmap_lock` for reading and the block's migrate lock.
 * @uvm uvm_hmm.c uvm_hmm_va_block_migrate_locked (without: other GPUs, DMA mappings that fail)
 */
export function* uvmHmmMigrate(move: UvmHmmMove): Task<UvmHmmMoved> {
  const { hmm, pages, to } = move;
  const moved: UvmHmmMoved = { pages: 0, transfers: 0, zeroed: 0, copyNs: 0 };
  const first = maskNext(pages, 0);
  if (first >= PAGES_PER_BLOCK) return moved;
  let outer = first;
  for (let at = first; at < PAGES_PER_BLOCK; at = maskNext(pages, outer)) outer = maskNextClear(pages, at);
  const { space } = hmm;
  const args: MigrateVma = {
    vma: move.vma,
    src: new Int32Array(outer - first),
    dst: new Int32Array(outer - first),
    cpages: 0,
    npages: 0,
    start: move.start + first,
    end: move.start + outer,
    pgmapOwner: space.devmem.owner,
    flags: to === UVM_ID_GPU ? MIGRATE_VMA_SELECT_SYSTEM : MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
    faultPage: move.faultPage,
  };
  if ((yield* migrateVmaSetup(args)) !== 0 || args.cpages === 0) return moved;
  const copied = newMask();
  const zeroed = newMask();
  for (let i = 0; i < args.npages; i++) {
    if (maskTest(pages, first + i)) fillSlot(move, args, i, first + i, copied, zeroed);
  }
  yield* migrateVmaPages(args);
  countMoved(move, args, first, copied, zeroed, moved);
  yield* migrateVmaFinalize(args);
  record(move, copied, moved);
  return moved;
}

/** Gives slot `i` a destination with the page's contents; leaves it without where the page has to stay. */
function fillSlot(
  move: UvmHmmMove,
  args: MigrateVma,
  i: number,
  page: number,
  copied: UvmPageMask,
  zeroed: UvmPageMask,
): void {
  const { space, block } = move.hmm;
  const { memory } = space.devmem;
  const src = args.src[i] ?? 0;
  if ((src & MIGRATE_PFN_MIGRATE) === 0) return;
  const source = migratePfnToPage(src);
  const shared = source !== NO_PFN && (src & MIGRATE_PFN_WRITE) === 0;
  if (shared && move.written !== undefined && maskTest(move.written, page)) return;
  const target = move.to === UVM_ID_GPU ? space.devmem.alloc(block, page) : allocPage(memory);
  if (target === NO_PFN) return;
  if (move.to === UVM_ID_CPU) memory.map.tryLock(target);
  if (source === NO_PFN) {
    memory.data.fillPage(target, 0);
    maskSet(zeroed, page);
  } else {
    memory.data.copyPage(target, source);
    maskSet(copied, page);
    if (move.to === UVM_ID_CPU) space.devmem.leaveGpu(source, false);
  }
  args.dst[i] = migratePfn(target);
}

/** Counts the pages that really moved; `copied` keeps only those that were copied and moved. */
function countMoved(
  move: UvmHmmMove,
  args: MigrateVma,
  first: number,
  copied: UvmPageMask,
  zeroed: UvmPageMask,
  moved: UvmHmmMoved,
): void {
  const { block } = move.hmm;
  for (let i = 0; i < args.npages; i++) {
    const page = first + i;
    const done = args.dst[i] !== 0 && ((args.src[i] ?? 0) & MIGRATE_PFN_MIGRATE) !== 0;
    if (!done) {
      maskClear(copied, page);
      continue;
    }
    moved.pages++;
    if (maskTest(zeroed, page)) moved.zeroed++;
    if (move.to === UVM_ID_GPU) {
      maskSet(block.gpu.resident, page);
      maskClear(block.cpu.resident, page);
      maskClear(block.gpu.evicted, page);
    }
  }
}

/** One event and one booked transfer for each run of copied pages of one cause. */
function record(move: UvmHmmMove, copied: UvmPageMask, moved: UvmHmmMoved): void {
  const { hmm, faulted, to } = move;
  const { driver } = hmm.space.space;
  const { counters } = driver.tools;
  const now = driver.clock.time();
  const ctx = hmm.space.space.context;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT, now);
  const toDevice = to === UVM_ID_GPU;
  counters.movedPages += moved.pages;
  counters.zeroedPages += moved.zeroed;
  for (let page = maskNext(copied, 0); page < PAGES_PER_BLOCK;) {
    const hit = faulted !== undefined && maskTest(faulted, page);
    const border =
      faulted === undefined ? PAGES_PER_BLOCK : hit ? maskNextClear(faulted, page) : maskNext(faulted, page);
    const outer = Math.min(maskNextClear(copied, page), border);
    const cause = causeOf(faulted, hit);
    const value = packUvmEvent(cause, toDevice ? UVM_ID_CPU : UVM_ID_GPU, to);
    const ns = driver.gpu.hw.copyEngine.book((outer - page) * PAGE_SIZE, toDevice);
    driver.tools.record(UvmEventTypeMigration, now + moved.copyNs, move.start + page, outer - page, value);
    const bytes = counters.bytes[cause];
    if (bytes !== undefined) bytes[toDevice ? 'toDevice' : 'toHost'] += (outer - page) * PAGE_SIZE;
    if (faulted !== undefined && move.start === hmm.block.start)
      uvmPerfThrashingEvent(ctx, hmm.block, to, 'migration', page, outer);
    moved.transfers++;
    moved.copyNs += ns;
    page = maskNext(copied, outer);
  }
  counters.transfers += moved.transfers;
  counters.copyNs += moved.copyNs;
}

function causeOf(faulted: UvmPageMask | undefined, hit: boolean): number {
  if (faulted === undefined) return UvmEventMigrationCauseUser;
  return hit ? UvmEventMigrationCauseCoherence : UvmEventMigrationCausePrefetch;
}
