import type { RwSemaphore, Task } from '@hmm/kernel';
import { PG_anon, PG_head } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { findPmd } from './page-walk.js';
import { isDeviceExclusivePte, isDevicePrivatePte, PTE_PRESENT, PTE_SPECIAL } from './pte.js';
import type { Vma } from './vma.js';

/** What rmap looks a folio up in: the VMAs in the order in which a walk visits them, and the lock of that tree. */
export interface RmapTree {
  readonly tree: readonly Vma[];
  readonly rwsem: RwSemaphore;
}

/** Visits one VMA that may map a folio, `vpn` being the folio's first page in it. False ends the walk. */
export type RmapOne = (vma: Vma, vpn: number) => Task<boolean>;

/**
 * Where a folio's mappings are found; undefined for a folio without identity.
 * @kernel mm/util.c folio_anon_vma (without: KSM)
 */
export function rmapTreeOf(system: MemorySystem, folio: number): RmapTree | undefined {
  const { map } = system;
  const id = map.mapping[folio] ?? 0;
  if (id === 0) return undefined;
  return (map.test(folio, PG_anon) ? system.anonVmas : system.addressSpaces)[id - 1] ?? undefined;
}

/**
 * Pages of a folio: 1 or 512.
 * @kernel include/linux/mm.h folio_nr_pages (without: orders other than 0 and 9)
 */
export function folioNrPages(system: MemorySystem, folio: number): number {
  return system.map.test(folio, PG_head) ? 512 : 1;
}

/** Whether an entry counts as a mapping of its page: a present one, a private one, and from 6.15 on an exclusive one. */
export function isMapping({ kernel }: MemorySystem, flags: number): boolean {
  return (
    (flags & (PTE_PRESENT | PTE_SPECIAL)) === PTE_PRESENT ||
    isDevicePrivatePte(flags) ||
    (kernel.does.exclusiveKeepsMapping && isDeviceExclusivePte(flags))
  );
}

/** Pages from which on a VMA may hold several pages whose index is the same modulo 2^32. */
const WIDE = 2 ** 31;

/**
 * The first page of `vma` that the folio covers, -1 when it covers none. A folio's index is known modulo 2^32: in a VMA of
 * 8 TiB and more the page tables tell which of the possible places is meant.
 * @kernel mm/internal.h vma_address (all)
 */
export function vmaAddress(vma: Vma, folio: number, index: number, nr: number): number {
  if (vma.end - vma.start > WIDE) return wideAddress(vma, folio, index, nr);
  const ahead = (index - vma.pgoff) | 0;
  if (ahead >= 0) return ahead < vma.end - vma.start ? vma.start + ahead : -1;
  return ahead + nr > 0 ? vma.start : -1;
}

function wideAddress(vma: Vma, folio: number, index: number, nr: number): number {
  const { lanes } = vma.mm.system.tables;
  const first = vma.start + ((index - vma.pgoff) >>> 0);
  let found = -1;
  for (let vpn = first; vpn < vma.end; vpn += 2 ** 32) {
    const pte = vma.mm.system.tables.findPte(vma.mm.root, vpn);
    const entry = pte >= 0 ? pte : findPmd(vma.mm, vpn);
    if (entry >= 0 && lanes[entry] !== 0 && lanes[entry + 1] === folio) return vpn;
    if (found < 0) found = vpn;
  }
  const ahead = (index - vma.pgoff) | 0;
  return ahead < 0 && ahead + nr > 0 ? vma.start : found;
}

/**
 * Visits every VMA that covers the folio's offset, in the order of its tree, whether or not it maps the folio, until
 * `rmapOne` says that it is enough. Sleeps for the tree's lock.
 * @kernel mm/rmap.c rmap_walk (without: KSM, walks that only try the lock)
 */
export function* rmapWalk(system: MemorySystem, folio: number, rmapOne: RmapOne): Task {
  const where = rmapTreeOf(system, folio);
  if (where === undefined) return;
  const nr = folioNrPages(system, folio);
  const index = system.map.index[folio] ?? 0;
  if (!where.rwsem.tryReadFast()) yield* where.rwsem.read();
  for (const vma of where.tree) {
    const vpn = vmaAddress(vma, folio, index, nr);
    if (vpn >= 0 && !(yield* rmapOne(vma, vpn))) break;
  }
  where.rwsem.unlockRead();
}
