import { PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from '@hmm/migrate';
import { allocPage, FOLL_REMOTE, FOLL_WRITE, getUserPages, VM_WRITE, type Vma } from '@hmm/mm';
import { NO_PFN } from '@hmm/mm/internal';
import type { UvmAts } from './uvm-ats.js';
import type { UvmHmmMoved } from './uvm-hmm-migrate.js';
import { packUvmEvent, UvmEventTypeMigration } from './uvm-tools.js';
import { UVM_ID_CPU, UVM_ID_GPU, UvmEventMigrationCauseUser, type UvmProcessorId } from './uvm-types.js';

/** Most pages of one call of `migrate_vma`: 2 MiB. */
const CHUNK = 512;

/**
 * Moves the pages `start` … `end - 1` of a VMA by `migrate_vma`, best effort: what cannot move, or finds no room, stays, or is
 * populated in system memory. Holes of writable anonymous memory are populated at the destination. The caller holds `mmap_lock` for
 * reading; what was done is added to `moved`.
 * @uvm uvm_migrate_pageable.c migrate_pageable_vma (without: NUMA nodes, VMAs that belong to other drivers)
 */
export function* uvmMigratePageable(
  ats: UvmAts,
  vma: Vma,
  start: number,
  end: number,
  to: UvmProcessorId,
  moved: UvmHmmMoved,
): Task {
  for (let at = start; at < end; at += CHUNK) {
    const outer = Math.min(at + CHUNK, end);
    if (vma.isAnonymous()) yield* migrateChunk(ats, vma, at, outer, to, moved);
    const write = (vma.flags & VM_WRITE) !== 0;
    for (let vpn = at; vpn < outer; vpn++) {
      if (!ats.maps(vpn, false)) yield* uvmPopulatePageable(ats, vpn, write);
    }
  }
}

/**
 * Faults a page in as a CPU access would. The caller holds `mmap_lock` for reading. @returns 0 or a negative errno.
 * @uvm uvm_populate_pageable.c uvm_populate_pageable_vma (without: permissions that are asked for by the
 * caller)
 */
export function* uvmPopulatePageable(ats: UvmAts, vpn: number, write: boolean): Task<number> {
  const flags = FOLL_REMOTE | (write ? FOLL_WRITE : 0);
  const got = yield* getUserPages(ats.mm, vpn, 1, flags, undefined);
  return got < 0 ? got : 0;
}

function* migrateChunk(
  ats: UvmAts,
  vma: Vma,
  start: number,
  end: number,
  to: UvmProcessorId,
  moved: UvmHmmMoved,
): Task {
  const args: MigrateVma = {
    vma,
    src: new Int32Array(end - start),
    dst: new Int32Array(end - start),
    cpages: 0,
    npages: 0,
    start,
    end,
    pgmapOwner: ats.devmem.owner,
    flags: to === UVM_ID_GPU ? MIGRATE_VMA_SELECT_SYSTEM : MIGRATE_VMA_SELECT_DEVICE_COHERENT,
    faultPage: NO_PFN,
  };
  if ((yield* migrateVmaSetup(args)) !== 0 || args.cpages === 0) return;
  const writable = (vma.flags & VM_WRITE) !== 0;
  for (let i = 0; i < args.npages; i++) fillSlot(ats, args, i, to, writable);
  yield* migrateVmaPages(args);
  countMoved(ats, args, to, moved);
  yield* migrateVmaFinalize(args);
}

/** Gives slot `i` a destination with the page's contents; leaves it without where the page has to stay. */
function fillSlot(ats: UvmAts, args: MigrateVma, i: number, to: UvmProcessorId, writable: boolean): void {
  const { devmem } = ats;
  const { memory } = devmem;
  const src = args.src[i] ?? 0;
  if ((src & MIGRATE_PFN_MIGRATE) === 0) return;
  const source = migratePfnToPage(src);
  if (source === NO_PFN && !writable) return;
  const target = to === UVM_ID_GPU ? devmem.alloc(ats.pages, 0) : allocPage(memory);
  if (target === NO_PFN) return;
  if (to === UVM_ID_CPU) memory.map.tryLock(target);
  if (source === NO_PFN) memory.data.fillPage(target, 0);
  else memory.data.copyPage(target, source);
  args.dst[i] = migratePfn(target);
}

/** Counts what really moved. Each page that was copied is an event of its own; first touches are none. */
function countMoved(ats: UvmAts, args: MigrateVma, to: UvmProcessorId, moved: UvmHmmMoved): void {
  const { driver } = ats.space;
  const { clock, gpu, tools } = driver;
  const now = clock.time();
  const value = packUvmEvent(UvmEventMigrationCauseUser, to === UVM_ID_GPU ? UVM_ID_CPU : UVM_ID_GPU, to);
  let copied = 0;
  let zeroed = 0;
  for (let i = 0; i < args.npages; i++) {
    const src = args.src[i] ?? 0;
    if (args.dst[i] === 0 || (src & MIGRATE_PFN_MIGRATE) === 0) continue;
    if (migratePfnToPage(src) === NO_PFN) zeroed++;
    else {
      copied++;
      tools.record(UvmEventTypeMigration, now + moved.copyNs, args.start + i, 1, value);
    }
  }
  moved.pages += copied + zeroed;
  moved.zeroed += zeroed;
  tools.counters.movedPages += copied + zeroed;
  tools.counters.zeroedPages += zeroed;
  if (copied === 0) return;
  const ns = gpu.hw.copyEngine.book(copied * PAGE_SIZE, to === UVM_ID_GPU);
  const bytes = tools.counters.bytes[UvmEventMigrationCauseUser];
  if (bytes !== undefined) bytes[to === UVM_ID_GPU ? 'toDevice' : 'toHost'] += copied * PAGE_SIZE;
  moved.transfers++;
  moved.copyNs += ns;
  tools.counters.transfers++;
  tools.counters.copyNs += ns;
}
