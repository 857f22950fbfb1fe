import { EFAULT, EPERM, HPAGE_PMD_NR, HPAGE_PMD_ORDER } from '@hmm/kernel';
import { ENTRY_TABLE, entryPages, LEVEL_PMD, LEVEL_PTE, tableIndex } from '@hmm/kernel/internal';
import { VM_HUGETLB, VM_IO, VM_PFNMAP, VM_READ, VM_WRITE, type MmStruct, type Vma, findVma } from '@hmm/mm';
import {
  isDeviceExclusivePte,
  isDevicePrivatePte,
  isMigrationPte,
  isSwapPte,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_SPECIAL,
  PTE_WRITE,
  ZERO_PFN,
  accessWalk,
  pagePgmap,
} from '@hmm/mm/internal';
import {
  HMM_PFN_ERROR,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_ORDER_SHIFT,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
} from './hmm-range.js';

/** The walk reached the end. */
export const WALK_DONE = 0;
/** The pages [from, to) of `vma` are to be faulted, and the walk to start again at `from`. */
export const WALK_FAULT = 1;
/** Page `from` is being migrated: wait for that, and start again there. */
export const WALK_MIGRATION = 2;

const NEED_FAULT = 1;
const NEED_WRITE_FAULT = 2;

/** Where a walk stopped and why. @kernel mm/hmm.c hmm_vma_walk */
export interface HmmVmaWalk {
  readonly range: HmmRange;
  readonly mm: MmStruct;
  /** `FAULT_FLAG_*` of its faults besides the usual ones. */
  readonly flags: number;
  /** Where the walk starts again. */
  from: number;
  to: number;
  vma: Vma | undefined;
  /** Whether the faults are for writing. */
  write: boolean;
  /** The page under migration. */
  pfn: number;
}

/**
 * Walks the CPU's tables over [from, range.end) and stores what it finds, up to the first page that needs a fault or
 * a wait. Never sleeps.
 * @returns a `WALK_*`, or `-EFAULT` / `-EPERM`.
 * @kernel mm/pagewalk.c walk_page_range (without: other users' callbacks, locks of page tables), with the
 * callbacks of mm/hmm.c
 */
export function hmmWalk(walk: HmmVmaWalk): number {
  const { range, mm } = walk;
  accessWalk(mm, walk.from, range.end);
  for (let at = walk.from; at < range.end;) {
    const vma = findVma(mm, at);
    if (vma === undefined || at < vma.start) {
      const end = vma === undefined ? range.end : Math.min(range.end, vma.start);
      if (rangeNeedFault(range, at, end, 0) !== 0) return -EFAULT;
      fill(range, at, end, HMM_PFN_ERROR);
      at = end;
      continue;
    }
    const end = Math.min(range.end, vma.end);
    const ret = walkVma(walk, vma, at, end);
    if (ret !== WALK_DONE) return ret;
    at = end;
  }
  return WALK_DONE;
}

/** @kernel mm/hmm.c hmm_vma_walk_test (all) and the upper levels of mm/pagewalk.c */
function walkVma(walk: HmmVmaWalk, vma: Vma, start: number, end: number): number {
  const { range, mm } = walk;
  if ((vma.flags & (VM_IO | VM_PFNMAP)) !== 0 || (vma.flags & VM_READ) === 0) {
    if (rangeNeedFault(range, start, end, 0) !== 0) return -EFAULT;
    fill(range, start, end, HMM_PFN_ERROR);
    return WALK_DONE;
  }
  const { tables } = mm.system;
  const { lanes } = tables;
  let at = start;
  while (at < end) {
    let table = mm.root;
    let level = tables.levels as number;
    let entry = table + 2 * tableIndex(at, level);
    while (level > LEVEL_PTE && lanes[entry] === ENTRY_TABLE) {
      table = lanes[entry + 1] ?? 0;
      level--;
      entry = table + 2 * tableIndex(at, level);
    }
    const block = entryPages(level === LEVEL_PTE ? LEVEL_PMD : level);
    const stop = Math.min(end, at - (at % block) + block);
    let ret: number;
    if (level === LEVEL_PTE) ret = walkPtes(walk, vma, lanes, entry, at, stop);
    else if (lanes[entry] === 0) ret = walkHole(walk, vma, level, at, stop);
    else ret = walkHuge(walk, vma, entry, level, at, stop);
    if (ret !== WALK_DONE) return ret;
    at = stop;
  }
  return WALK_DONE;
}

/** Nothing at all above the PTE level. @kernel mm/hmm.c hmm_vma_walk_hole (all) */
function walkHole(walk: HmmVmaWalk, vma: Vma, level: number, start: number, end: number): number {
  const { range } = walk;
  const need = rangeNeedFault(range, start, end, 0);
  if (need !== 0) return fault(walk, vma, start, end, need);
  fill(range, start, end, holeFlags(vma, level));
  return WALK_DONE;
}

/**
 * A huge entry above the PTE level.
 * @kernel mm/hmm.c hmm_vma_walk_pmd (without: DAX, bad entries, entries of a huge page that change while they are read)
 */
function walkHuge(
  walk: HmmVmaWalk,
  vma: Vma,
  entry: number,
  level: number,
  start: number,
  end: number,
): number {
  const { range } = walk;
  const { lanes } = walk.mm.system.tables;
  const flags = lanes[entry] ?? 0;
  const first = (lanes[entry + 1] ?? 0) + (start % entryPages(level));
  if ((flags & PTE_PRESENT) === 0) return walkAbsentPmd(walk, vma, flags, first, start, end);
  const order = 9 * (level - 1);
  const mapped = HMM_PFN_VALID | (flags & PTE_WRITE) | (order << HMM_PFN_ORDER_SHIFT);
  const cpu = (flags & PTE_PROTNONE) !== 0 ? 0 : mapped;
  const need = rangeNeedFault(range, start, end, cpu);
  if (need !== 0) return fault(walk, vma, start, end, need);
  storeBlock(range, start, end, cpu, first);
  return WALK_DONE;
}

/**
 * A huge entry that is not present. The caller's own device memory is reported as it is, whatever was asked for; that of
 * others is an error unless it is to be faulted. @kernel mm/hmm.c hmm_vma_handle_absent_pmd (from 6.19 on)
 */
function walkAbsentPmd(
  walk: HmmVmaWalk,
  vma: Vma,
  flags: number,
  first: number,
  start: number,
  end: number,
): number {
  const { range } = walk;
  const device = isDevicePrivatePte(flags);
  if (device && pagePgmap(walk.mm.system, first).owner === range.devPrivateOwner) {
    const mapped = HMM_PFN_VALID | (flags & PTE_WRITE) | (HPAGE_PMD_ORDER << HMM_PFN_ORDER_SHIFT);
    const wrong = walk.mm.kernel.does.ownHugePfnsFromHead;
    storeBlock(range, start, end, mapped, wrong ? first - (start % HPAGE_PMD_NR) : first);
    return WALK_DONE;
  }
  const need = rangeNeedFault(range, start, end, 0);
  const migrating = isMigrationPte(flags);
  if (need === 0) fill(range, start, end, migrating ? 0 : HMM_PFN_ERROR);
  else if (migrating) return migration(walk, start, first);
  else return device ? fault(walk, vma, start, end, need) : -EFAULT;
  return WALK_DONE;
}

/** Pages [start, end) that consecutive frames from `first` on map. */
function storeBlock(range: HmmRange, start: number, end: number, flags: number, first: number): void {
  const pfns = range.hmmPfns;
  for (let at = start; at < end; at++) {
    const slot = 2 * (at - range.start);
    pfns[slot] = ((pfns[slot] ?? 0) & HMM_PFN_INOUT_FLAGS) | flags;
    pfns[slot + 1] = first + (at - start);
  }
}

/**
 * A hole in memory of huge pages tells their size.
 * @kernel mm/hmm.c hmm_vma_walk_hugetlb_entry (without: hugetlb's own locks, page sizes other than 2 MiB)
 */
function holeFlags(vma: Vma, level: number): number {
  return (vma.flags & VM_HUGETLB) !== 0 && level === LEVEL_PMD ? 9 << HMM_PFN_ORDER_SHIFT : 0;
}

/**
 * The hot loop: the entries of one page table from `entry` on.
 * @kernel mm/hmm.c hmm_vma_walk_pmd (without: DAX, bad entries, entries of a huge page that change while they
 * are read)
 */
function walkPtes(
  walk: HmmVmaWalk,
  vma: Vma,
  lanes: Int32Array,
  firstEntry: number,
  start: number,
  end: number,
): number {
  // Constants of other modules cost a look-up at each use: local copies for the loop.
  const plain = PTE_PRESENT | PTE_SPECIAL | PTE_PROTNONE;
  const present = PTE_PRESENT;
  const both = HMM_PFN_VALID | HMM_PFN_WRITE;
  const reqFault = HMM_PFN_REQ_FAULT;
  const sticky = HMM_PFN_INOUT_FLAGS;
  const { range } = walk;
  const pfns = range.hmmPfns;
  const { defaultFlags, pfnFlagsMask } = range;
  const base = range.start;
  let entry = firstEntry;
  let slot = 2 * (start - base);
  const stop = 2 * (end - base);
  for (; slot < stop; slot += 2, entry += 2) {
    const flags = lanes[entry] ?? 0;
    const old = pfns[slot] ?? 0;
    const ask = (old & pfnFlagsMask) | defaultFlags;
    const cpu = flags & both;
    if ((flags & plain) === present && ((ask & reqFault) === 0 || (ask & both & ~cpu) === 0)) {
      pfns[slot] = (old & sticky) | cpu;
      pfns[slot + 1] = lanes[entry + 1] ?? 0;
      continue;
    }
    const ret = handlePte(walk, vma, flags, lanes[entry + 1] ?? 0, base + slot / 2, end);
    if (ret !== WALK_DONE) return ret;
  }
  return WALK_DONE;
}

/**
 * Every entry that is not a plain present one with the permissions asked for.
 * @kernel mm/hmm.c hmm_vma_handle_pte (without: DAX, userfaultfd's write protection)
 */
function handlePte(walk: HmmVmaWalk, vma: Vma, flags: number, pfn: number, at: number, end: number): number {
  const { range } = walk;
  if ((flags & PTE_PRESENT) !== 0) return handlePresent(walk, vma, flags, pfn, at, end);
  if (isDevicePrivatePte(flags) && pagePgmap(walk.mm.system, pfn).owner === range.devPrivateOwner) {
    store(range, at, HMM_PFN_VALID | (flags & PTE_WRITE), pfn);
    return WALK_DONE;
  }
  const need = rangeNeedFault(range, at, at + 1, 0);
  if (need === 0) {
    store(range, at, 0, 0);
    return WALK_DONE;
  }
  const faultable =
    flags === 0 || isSwapPte(flags) || isDevicePrivatePte(flags) || isDeviceExclusivePte(flags);
  if (faultable) return fault(walk, vma, at, end, need);
  return isMigrationPte(flags) ? migration(walk, at, pfn) : -EFAULT;
}

function handlePresent(
  walk: HmmVmaWalk,
  vma: Vma,
  flags: number,
  pfn: number,
  at: number,
  end: number,
): number {
  const { range } = walk;
  const cpu = (flags & PTE_PROTNONE) !== 0 ? 0 : HMM_PFN_VALID | (flags & PTE_WRITE);
  const need = rangeNeedFault(range, at, at + 1, cpu);
  if (need !== 0) return fault(walk, vma, at, end, need);
  if ((flags & PTE_SPECIAL) !== 0 && pfn !== ZERO_PFN) {
    if (rangeNeedFault(range, at, at + 1, 0) !== 0) return -EFAULT;
    store(range, at, HMM_PFN_ERROR, 0);
    return WALK_DONE;
  }
  store(range, at, cpu, pfn);
  return WALK_DONE;
}

/** @kernel mm/hmm.c hmm_vma_fault (all), up to the faults themselves */
function fault(walk: HmmVmaWalk, vma: Vma, from: number, to: number, need: number): number {
  walk.from = from;
  if ((need & NEED_WRITE_FAULT) !== 0 && (vma.flags & VM_WRITE) === 0) return -EPERM;
  walk.to = to;
  walk.vma = vma;
  walk.write = (need & NEED_WRITE_FAULT) !== 0;
  return WALK_FAULT;
}

function migration(walk: HmmVmaWalk, at: number, pfn: number): number {
  walk.from = at;
  walk.pfn = pfn;
  return WALK_MIGRATION;
}

function store(range: HmmRange, at: number, flags: number, pfn: number): void {
  const pfns = range.hmmPfns;
  const slot = 2 * (at - range.start);
  pfns[slot] = ((pfns[slot] ?? 0) & HMM_PFN_INOUT_FLAGS) | flags;
  pfns[slot + 1] = pfn;
}

/** @kernel mm/hmm.c hmm_pfns_fill (all) */
function fill(range: HmmRange, from: number, to: number, flags: number): void {
  for (let at = from; at < to; at++) store(range, at, flags, 0);
}

/**
 * What the pages [from, to) together need, given what the CPU's entry allows.
 * @kernel mm/hmm.c hmm_range_need_fault, hmm_pte_need_fault (all)
 */
function rangeNeedFault(range: HmmRange, from: number, to: number, cpu: number): number {
  // Without a default and without a mask nobody asks for anything.
  if (((range.defaultFlags | range.pfnFlagsMask) & HMM_PFN_REQ_FAULT) === 0) return 0;
  let need = 0;
  for (let at = from; at < to; at++) {
    const own = range.hmmPfns[2 * (at - range.start)] ?? 0;
    const ask = (own & range.pfnFlagsMask) | range.defaultFlags;
    if ((ask & HMM_PFN_REQ_FAULT) === 0) continue;
    if ((ask & HMM_PFN_REQ_WRITE) !== 0 && (cpu & HMM_PFN_WRITE) === 0) return NEED_FAULT | NEED_WRITE_FAULT;
    if ((cpu & HMM_PFN_VALID) === 0) need = NEED_FAULT;
  }
  return need;
}
