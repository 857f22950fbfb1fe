import { SP_PREEMPT, type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { splitHugePmd, zapHugePmd } from './huge-memory.js';
import { PG_anon, PG_dirty } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { MmuGather } from './mmu-gather.js';
import { notifyEndStep, notifyStart } from './notify.js';
import { accessPte, accessTables } from './observe.js';
import { folioPut } from './page-alloc.js';
import { findPmd, nextPmd, pmdAddrEnd } from './page-walk.js';
import {
  isMarkerPte,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_MASK,
  PTE_TYPE_MIGRATION,
  PTE_TYPE_SWAP,
  PTE_YOUNG,
} from './pte.js';
import { folioRemoveRmapPte } from './rmap.js';
import { folioMarkAccessed, lruAddDrainTask } from './swap.js';
import { freeSwapAndCache } from './swapfile.js';
import type { Vma } from './vma.js';

/**
 * Removes all that is mapped in the pages [start, end) of `vma`. Present pages are freed by the gather; other entries
 * let go of theirs at once. @kernel mm/memory.c unmap_page_range (without: huge PUDs)
 */
export function* unmapPageRange(tlb: MmuGather, vma: Vma, start: number, end: number): Task {
  const { mm } = vma;
  const { lanes } = mm.system.tables;
  accessTables(mm, false);
  for (let at = nextPmd(mm, start, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    const next = pmdAddrEnd(at, end);
    if (lanes[pmd] !== ENTRY_TABLE) {
      if (next - at === 512) {
        zapHugePmd(tlb, vma, pmd);
        continue;
      }
      yield* splitHugePmd(vma, at);
    }
    if (lanes[pmd] !== ENTRY_TABLE) continue;
    const first = (lanes[pmd + 1] ?? 0) + 2 * (at & 511);
    if (!mm.kernel.sched.exploring) zapPteRange(tlb, vma, first, next - at);
    else yield* zapPtesStepwise(tlb, vma, first, next - at);
    if (tlb.reclaimsTables && next - at === 512) freeEmptyTable(mm.system, pmd);
  }
}

/** Gives a page table back in which nothing is left. @kernel mm/pt_reclaim.c try_to_free_pte (from 6.14 on) */
function freeEmptyTable({ tables }: MemorySystem, pmd: number): void {
  const { lanes } = tables;
  const table = lanes[pmd + 1] ?? 0;
  for (let entry = table; entry < table + 1024; entry += 2) if (lanes[entry] !== 0) return;
  lanes[pmd] = 0;
  lanes[pmd + 1] = 0;
  tables.free(table);
}

/** As {@link zapPteRange}; while exploring, others may run between two entries, where the kernel may reschedule. */
function* zapPtesStepwise(tlb: MmuGather, vma: Vma, first: number, count: number): Task {
  const { system } = vma.mm;
  const { sched } = system.kernel;
  const since = sched.steps + 1;
  for (let i = 0; i < count; i++) {
    const entry = first + 2 * i;
    accessPte(system, entry, false);
    if (system.tables.lanes[entry] !== 0) {
      // Of the entries before, only the pages that are to be freed are left.
      sched.forget(since, [i], tlb.gathered);
      yield SP_PREEMPT;
    }
    zapPteRange(tlb, vma, entry, 1);
  }
}

/**
 * Zaps `count` entries from `first` (a lane index) on.
 * @kernel mm/memory.c zap_pte_range (without: TLB flushes on the way, userfaultfd, breaks to let
 * others run)
 */
function zapPteRange(tlb: MmuGather, vma: Vma, first: number, count: number): void {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const { keepsMarkers } = tlb;
  for (let entry = first; entry < first + 2 * count; entry += 2) {
    const flags = lanes[entry] ?? 0;
    accessPte(system, entry, flags !== 0);
    if (flags === 0) continue;
    const payload = lanes[entry + 1] ?? 0;
    if (keepsMarkers && isMarkerPte(flags)) continue;
    if (!tlb.evenCows && isPrivateCopy(system, flags, payload)) continue;
    lanes[entry] = 0;
    lanes[entry + 1] = 0;
    if ((flags & PTE_PRESENT) !== 0) zapPresentPte(tlb, vma, flags, payload);
    else zapNonpresentPte(vma, flags, payload);
  }
}

/**
 * Whether an entry is of a page that is not the file's any more.
 * @kernel mm/memory.c should_zap_folio (all)
 */
function isPrivateCopy(system: MemorySystem, flags: number, payload: number): boolean {
  if ((flags & PTE_TYPE_MASK) === PTE_TYPE_SWAP) return true;
  return (flags & PTE_SPECIAL) === 0 && system.map.test(system.map.folio(payload), PG_anon);
}

/**
 * @kernel mm/memory.c zap_present_folio_ptes (without: batches of a large folio's entries, delayed rmap,
 * userfaultfd)
 */
function zapPresentPte(tlb: MmuGather, vma: Vma, flags: number, pfn: number): void {
  if ((flags & PTE_SPECIAL) !== 0) return;
  const { mm } = vma;
  const { map } = mm.system;
  const folio = map.folio(pfn);
  if (map.test(folio, PG_anon)) mm.rssAnon--;
  else {
    if ((flags & PTE_DIRTY) !== 0) map.set(folio, PG_dirty);
    if ((flags & PTE_YOUNG) !== 0) folioMarkAccessed(mm.system, folio);
    mm.rssShmem--;
  }
  folioRemoveRmapPte(pfn, vma);
  tlb.removePage(pfn);
}

/**
 * An entry that is not present: its part of the loop.
 * @kernel mm/memory.c zap_pte_range (without: TLB flushes on the way, userfaultfd, breaks to let
 * others run)
 */
function zapNonpresentPte(vma: Vma, flags: number, payload: number): void {
  const { mm } = vma;
  const { system } = mm;
  switch (flags & PTE_TYPE_MASK) {
    case PTE_TYPE_DEVICE_PRIVATE:
      mm.rssAnon--;
      folioRemoveRmapPte(payload, vma);
      folioPut(system, payload);
      break;
    case PTE_TYPE_DEVICE_EXCLUSIVE:
      mm.rssAnon--;
      if (system.kernel.does.exclusiveKeepsMapping) folioRemoveRmapPte(payload, vma);
      folioPut(system, payload);
      break;
    case PTE_TYPE_SWAP:
      mm.swapents--;
      freeSwapAndCache(system, payload);
      break;
    case PTE_TYPE_MIGRATION:
      if (system.map.test(system.map.folio(payload), PG_anon)) mm.rssAnon--;
      else mm.rssShmem--;
      break;
    default:
      break;
  }
}

/**
 * Removes the mappings of a part of one VMA, announced as CLEAR: MADV_DONTNEED, truncation. Without `evenCows` private
 * copies of a file's pages stay.
 * @kernel mm/memory.c zap_page_range_single (without: hugetlb's own way)
 */
export function* zapPageRangeSingle(vma: Vma, start: number, end: number, evenCows = true): Task {
  const tlb = new MmuGather(vma.mm, evenCows);
  yield* zapPageRangeSingleBatched(tlb, vma, start, end);
  tlb.finish();
}

/** As {@link zapPageRangeSingle}, for a caller that frees the pages later. @kernel mm/memory.c zap_page_range_single_batched */
export function* zapPageRangeSingleBatched(tlb: MmuGather, vma: Vma, start: number, end: number): Task {
  const { mm } = vma;
  if (mm.kernel.does.unmapDrainsLru) yield* lruAddDrainTask(mm.system);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, end) : undefined;
  tlb.keepsMarkers = true;
  yield* unmapPageRange(tlb, vma, start, end);
  yield* notifyEndStep(range);
}
