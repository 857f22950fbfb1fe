import { copyUserHighpage } from './highmem.js';
import { ENOMEM, type Task } from '@hmm/kernel';
import { ENTRY_TABLE, LEVEL_PTE } from '@hmm/kernel/internal';
import { MMU_NOTIFY_PROTECTION_PAGE, mmHasNotifiers } from '@hmm/mmu-notifier';
import { restoreExclusivePte } from './device-exclusive.js';
import { copyHugePmd } from './huge-memory.js';
import { copyHugetlbPageRange } from './hugetlb.js';
import {
  MAPCOUNT_MAX,
  NO_PFN,
  PG_anon,
  PG_anon_exclusive,
  PG_head,
  PG_locked,
  PG_uptodate,
} from './mem-map.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { allocPage } from './page-alloc.js';
import { findPmd, nextPmd, pmdAddrEnd } from './page-walk.js';
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_MASK,
  PTE_TYPE_MIGRATION,
  PTE_TYPE_SWAP,
  PTE_WRITE,
  PTE_YOUNG,
} from './pte.js';
import { mkPteForWrite } from './pte-make.js';
import { folioAddNewAnonRmap, folioDupRmapPte } from './rmap.js';
import { folioAddLruVma } from './swap.js';
import { VM_HUGETLB, VM_PFNMAP, VM_SHARED, type Vma } from './vma.js';

/**
 * Copies what is mapped in `src` to fork's child. Only a VMA with an anon_vma has anything that faults would not bring
 * back. A private VMA is announced as PROTECTION_PAGE. @returns 0 or `-ENOMEM`.
 * @kernel mm/memory.c copy_page_range (without: huge PUDs, mixed maps, PFN tracking, userfaultfd's write
 * protection, the sequence count against fast GUP)
 */
export function* copyPageRange(dst: Vma, src: Vma): Task<number> {
  if (src.anonVma === null && (src.flags & VM_PFNMAP) === 0) return 0;
  if ((src.flags & VM_HUGETLB) !== 0) return yield* copyHugetlbPageRange(dst, src);
  const { mm } = src;
  const range =
    src.isCow() && mmHasNotifiers(mm)
      ? yield* notifyStart(mm, MMU_NOTIFY_PROTECTION_PAGE, src.start, src.end)
      : undefined;
  const ret = yield* copyTables(dst, src);
  notifyEnd(range);
  return ret;
}

function* copyTables(dst: Vma, src: Vma): Task<number> {
  const { mm, end } = src;
  const { tables } = mm.system;
  const { lanes } = tables;
  for (let at = nextPmd(mm, src.start, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    if (lanes[pmd] !== ENTRY_TABLE) {
      const ret = yield* copyHugePmd(dst, src, pmd, at);
      if (ret !== 0) return ret;
      if (lanes[pmd] !== ENTRY_TABLE) continue;
    }
    const to = tables.make(dst.mm.root, at, LEVEL_PTE);
    if (to < 0) return -ENOMEM;
    const from = (lanes[pmd + 1] ?? 0) + 2 * (at & 511);
    const ret = copyPteRange(dst, src, to, from, at, pmdAddrEnd(at, end) - at);
    if (ret !== 0) return ret;
  }
  return 0;
}

/**
 * The hot loop: `count` entries. The usual entry, a present anonymous small page that is not pinned, is copied here;
 * everything else in {@link copyPte}.
 * @kernel mm/memory.c copy_pte_range (without: breaks to let others run, retries with a page allocated
 * before, userfaultfd's markers)
 */
function copyPteRange(
  dst: Vma,
  src: Vma,
  toFirst: number,
  fromFirst: number,
  vpn: number,
  count: number,
): number {
  const { system } = src.mm;
  const { map } = system;
  const { lanes } = system.tables;
  const { refcount, mapcount, flags: pageFlags, pincount } = map;
  const private_ = src.isCow();
  const usualMask = PTE_PRESENT | PTE_SPECIAL;
  const usual = PTE_PRESENT;
  const anon = PG_anon;
  const notUsual = PG_head;
  const exclusive = ~PG_anon_exclusive;
  const readOnly = ~PTE_WRITE;
  const old = ~PTE_YOUNG;
  const mappingsMax = MAPCOUNT_MAX;
  // A column that nobody has written yet is memory that need not be touched.
  const { hasPinned } = src.mm;
  const observed = system.kernel.sched.observer !== undefined;
  let copied = 0;
  for (let i = 0; i < count; i++) {
    const from = fromFirst + 2 * i;
    const pte = lanes[from] ?? 0;
    if (pte === 0) continue;
    const to = toFirst + 2 * i;
    const pfn = lanes[from + 1] ?? 0;
    const flags = pageFlags[pfn] ?? 0;
    const plain = (pte & usualMask) === usual && (flags & (anon | notUsual)) === anon && private_;
    const mappings = (mapcount[pfn] ?? 0) + 1;
    if (!plain || (hasPinned && pincount[pfn] !== 0) || observed || mappings > mappingsMax) {
      const ret = copyPte(dst, src, to, from, vpn + i);
      if (ret !== 0) return ret;
      continue;
    }
    refcount[pfn] = (refcount[pfn] ?? 0) + 1;
    mapcount[pfn] = mappings;
    pageFlags[pfn] = flags & exclusive;
    lanes[from] = pte & readOnly;
    lanes[to] = pte & readOnly & old;
    lanes[to + 1] = pfn;
    copied++;
  }
  dst.mm.rssAnon += copied;
  return 0;
}

function copyPte(dst: Vma, src: Vma, to: number, from: number, vpn: number): number {
  const { system } = src.mm;
  const { lanes } = system.tables;
  accessPte(system, from, true);
  accessPte(system, to, true);
  if (((lanes[from] ?? 0) & PTE_TYPE_MASK) === PTE_TYPE_DEVICE_EXCLUSIVE) {
    // The device's entry becomes an ordinary one first; nobody waits for the folio's lock here.
    if (system.map.test(lanes[from + 1] ?? 0, PG_locked)) return -ENOMEM;
    restoreExclusivePte(src, from);
  }
  const pte = lanes[from] ?? 0;
  return (pte & PTE_PRESENT) !== 0
    ? copyPresentPte(dst, src, to, from, vpn)
    : copyNonpresentPte(dst, src, to, from);
}

/**
 * @kernel mm/memory.c copy_present_ptes (without: batches of a large folio's entries, userfaultfd's write
 * protection)
 */
function copyPresentPte(dst: Vma, src: Vma, to: number, from: number, vpn: number): number {
  const { system } = src.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  let pte = lanes[from] ?? 0;
  const pfn = lanes[from + 1] ?? 0;
  if ((pte & PTE_SPECIAL) === 0) {
    const folio = map.folio(pfn);
    const anon = map.test(folio, PG_anon);
    if (anon && map.test(pfn, PG_anon_exclusive) && (map.pincount[folio] ?? 0) > 0)
      return copyPresentPage(dst, to, pfn, vpn);
    if (anon) {
      map.clear(pfn, PG_anon_exclusive);
      dst.mm.rssAnon++;
    } else dst.mm.rssShmem++;
    map.get(folio);
    folioDupRmapPte(system, pfn);
  }
  if (src.isCow()) {
    pte &= ~PTE_WRITE;
    lanes[from] = pte;
  }
  if ((src.flags & VM_SHARED) !== 0) pte &= ~PTE_DIRTY;
  lanes[to] = pte & ~PTE_YOUNG;
  lanes[to + 1] = pfn;
  return 0;
}

/**
 * A pinned page stays the parent's own: the child gets a copy at once.
 * @kernel mm/memory.c copy_present_page (without: memory control groups, userfaultfd's write protection, a
 * page allocated before)
 */
function copyPresentPage(dst: Vma, to: number, pfn: number, vpn: number): number {
  const { system } = dst.mm;
  const fresh = allocPage(system);
  if (fresh === NO_PFN) return -ENOMEM;
  copyUserHighpage(system, fresh, pfn);
  system.map.set(fresh, PG_uptodate);
  dst.mm.rssAnon++;
  folioAddNewAnonRmap(fresh, dst, vpn, true);
  folioAddLruVma(dst, fresh);
  system.tables.lanes[to] = mkPteForWrite(dst);
  system.tables.lanes[to + 1] = fresh;
  return 0;
}

/**
 * @kernel mm/memory.c copy_nonpresent_pte (without: userfaultfd's markers, soft-dirty, continuations of swap
 * counts, swapoff's list of mms)
 */
function copyNonpresentPte(dst: Vma, src: Vma, to: number, from: number): number {
  const { system } = src.mm;
  const { map, tables, swap } = system;
  const { lanes } = tables;
  let pte = lanes[from] ?? 0;
  const payload = lanes[from + 1] ?? 0;
  const cow = src.isCow();
  switch (pte & PTE_TYPE_MASK) {
    case PTE_TYPE_SWAP:
      swap.duplicate(payload);
      dst.mm.swapents++;
      pte &= ~PTE_EXCLUSIVE;
      break;
    case PTE_TYPE_MIGRATION:
      if (map.test(map.folio(payload), PG_anon)) dst.mm.rssAnon++;
      else dst.mm.rssShmem++;
      if (cow) pte &= ~(PTE_WRITE | PTE_EXCLUSIVE);
      break;
    case PTE_TYPE_DEVICE_PRIVATE:
      map.get(map.folio(payload));
      map.clear(payload, PG_anon_exclusive);
      folioDupRmapPte(system, payload);
      dst.mm.rssAnon++;
      if (cow) pte &= ~PTE_WRITE;
      break;
    default:
      break;
  }
  lanes[from] = pte;
  lanes[to] = pte;
  lanes[to + 1] = payload;
  return 0;
}
