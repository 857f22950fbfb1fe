import { SP_PREEMPT, type Task } from '@hmm/kernel';
import { ENTRY_TABLE, pteIndex } from '@hmm/kernel/internal';
import { type Vma } from '@hmm/mm';
import {
  MMU_NOTIFY_MIGRATE,
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInit,
} from '@hmm/mmu-notifier';
import {
  accessPte,
  findPmd,
  folioPut,
  folioRemoveRmapPte,
  folioTryShareAnonRmapPte,
  isDevicePrivatePte,
  isHuge,
  migrationEntryFlags,
  PG_anon_exclusive,
  PG_dirty,
  PG_head,
  PG_zone_device,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  splitHugePmd,
} from '@hmm/mm/internal';
import {
  HMM_PFN_DEVICE,
  HMM_PFN_LOCKED,
  HMM_PFN_MIGRATE,
  HMM_PFN_UNADDRESSABLE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
} from '../hmm-pfn.js';
import type { HmmMigrate } from './migrate.js';

/**
 * Announces the range, and collects what can be moved, with a reference. What can be locked at once becomes a migration entry; what
 * cannot keeps its entry, and is left to the next step.
 * @v13 patch 16 hmm_migrate_collect (without: memory of a device that may not be moved, the zero page: left alone)
 */
export function* hmmMigrateCollect(migrate: HmmMigrate): Task {
  const { vma, start, end } = migrate;
  const { mm } = vma;
  const range = mmHasNotifiers(mm) ? mmuNotifierRangeInit(MMU_NOTIFY_MIGRATE, mm, start, end) : undefined;
  if (range !== undefined) {
    const started = mmuNotifierInvalidateRangeStart(range);
    if (typeof started !== 'number') yield* started;
  }
  for (let vpn = start; vpn < end; vpn++) {
    const lane = yield* smallEntry(vma, vpn);
    if (lane < 0) continue;
    if (mm.kernel.sched.exploring) yield SP_PREEMPT;
    collectPte(migrate, vpn - start, lane);
  }
  if (range !== undefined) mmuNotifierInvalidateRangeEnd(range);
}

/** The lane of the small entry for `vpn`, a huge mapping being split; -1 where nothing is. */
function* smallEntry(vma: Vma, vpn: number): Task<number> {
  const { lanes } = vma.mm.system.tables;
  const pmd = findPmd(vma.mm, vpn);
  if (pmd < 0) return -1;
  if (isHuge(lanes[pmd] ?? 0)) yield* splitHugePmd(vma, vpn);
  return lanes[pmd] === ENTRY_TABLE ? (lanes[pmd + 1] ?? 0) + 2 * pteIndex(vpn) : -1;
}

/** @v13 patch 16 hmm_collect_walk_pmd (without: soft-dirty, flushes of the TLB), one entry */
function collectPte(migrate: HmmMigrate, slot: number, lane: number): void {
  const { vma, pfns, core, sources } = migrate;
  const { system } = vma.mm;
  const { map } = system;
  const { lanes } = system.tables;
  const flags = lanes[lane] ?? 0;
  const page = lanes[lane + 1] ?? 0;
  accessPte(system, lane, false);
  const device = isDevicePrivatePte(flags);
  if (!device && ((flags & PTE_PRESENT) === 0 || (flags & PTE_SPECIAL) !== 0)) return;
  if (map.test(map.folio(page), PG_head)) {
    if (!core.does.compoundLosesMapping) return;
    // The entry was cleared before the page was looked at.
    accessPte(system, lane, true);
    lanes[lane] = 0;
    lanes[lane + 1] = 0;
    return;
  }
  if (map.mapping[page] === 0) return;
  const kind = device
    ? HMM_PFN_DEVICE | HMM_PFN_UNADDRESSABLE
    : map.test(page, PG_zone_device)
      ? HMM_PFN_DEVICE
      : 0;
  const write = (flags & PTE_WRITE) !== 0 ? HMM_PFN_WRITE : 0;
  map.get(page);
  migrate.npages++;
  const locked = map.tryLock(page);
  pfns[2 * slot] = HMM_PFN_VALID | HMM_PFN_MIGRATE | kind | write | (locked ? HMM_PFN_LOCKED : 0);
  pfns[2 * slot + 1] = page;
  sources[slot] = page;
  if (!locked) return;
  const exclusive = map.test(page, PG_anon_exclusive);
  // Nobody asks whether the page is pinned: there was no such mark. That of today stays with a page that is.
  if (exclusive) folioTryShareAnonRmapPte(system, page);
  if ((flags & PTE_DIRTY) !== 0) map.set(page, PG_dirty);
  accessPte(system, lane, true);
  lanes[lane] = migrationEntryFlags(flags, exclusive);
  folioRemoveRmapPte(page, vma);
  folioPut(system, page);
}
