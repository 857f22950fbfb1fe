import { HPAGE_PMD_NR } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from './mm-struct.js';
import { NO_PFN, PG_free } from './mem-map.js';
import type { PageAllocator } from './page-alloc.js';
import type { MemMap } from './mem-map.js';

/**
 * Which huge pages of one mapping were promised to the process that made it, and which of them it has taken.
 * @kernel include/linux/hugetlb.h resv_map
 */
export interface HugetlbReservation {
  /** Whose promise it is; a child of fork has none. */
  readonly owner: MmStruct;
  /** By huge page of the mapping: 1 once it was taken. */
  readonly taken: Uint8Array;
}

/**
 * The pool of huge pages that was set aside at boot (`vm.nr_hugepages`): they are never part of free memory, never on the
 * LRU, never swapped. @kernel include/linux/hugetlb.h hstate
 */
export class Hstate {
  /** What of it is state. */
  static readonly state = declareState({
    nrHugePages: 'constant',
    resvHugePages: 'value',
    freeList: 'constant',
    reservations: 'constant',
  });

  /** Huge pages set aside, as many as memory had whole blocks for. */
  readonly nrHugePages: number;
  /** Promised to mappings and not taken yet. */
  resvHugePages = 0;
  private readonly freeList: number[] = [];
  private readonly reservations: HugetlbReservation[] = [];

  /** Sets `wanted` huge pages aside. */
  constructor(map: MemMap, pages: PageAllocator, wanted: number) {
    for (let i = 0; i < wanted; i++) {
      const head = pages.takeBlock();
      if (head === NO_PFN) break;
      map.flags.fill(PG_free, head, head + HPAGE_PMD_NR);
      this.freeList.push(head);
    }
    this.freeList.reverse();
    this.nrHugePages = this.freeList.length;
  }

  /** Huge pages in the pool, promised ones among them. */
  get freeHugePages(): number {
    return this.freeList.length;
  }

  /**
   * A huge page, or {@link NO_PFN}: without a promise only what is not promised to others.
   * @kernel mm/hugetlb.c dequeue_hugetlb_folio_vma (without: NUMA nodes and policies, cpusets, poisoned
   * pages)
   */
  take(promised: boolean): number {
    if (!promised && this.freeHugePages <= this.resvHugePages) return NO_PFN;
    if (promised) this.resvHugePages--;
    return this.freeList.pop() ?? NO_PFN;
  }

  /**
   * A huge page comes back.
   * @kernel mm/hugetlb.c enqueue_hugetlb_folio (without: a list for each NUMA node)
   */
  put(head: number): void {
    this.freeList.push(head);
  }

  /**
   * Promises `count` huge pages to a mapping; undefined when there are not so many.
   * @kernel mm/hugetlb.c hugetlb_reserve_pages (without: shared mappings, subpools, surplus pages, control
   * groups)
   */
  reserve(owner: MmStruct, count: number): HugetlbReservation | undefined {
    if (count > this.freeHugePages - this.resvHugePages) return undefined;
    const reservation = { owner, taken: new Uint8Array(count) };
    this.resvHugePages += count;
    this.reservations.push(reservation);
    return reservation;
  }

  /**
   * Takes back what was promised of the huge pages [first, end) of a mapping.
   * @kernel mm/hugetlb.c hugetlb_vm_op_close (without: subpools, surplus pages, control groups)
   */
  unreserve(reservation: HugetlbReservation, first: number, end: number): void {
    const { taken } = reservation;
    for (let page = first; page < end; page++) {
      if (taken[page] === 0) this.resvHugePages--;
      taken[page] = 1;
    }
    if (taken.every((each) => each === 1)) {
      const at = this.reservations.indexOf(reservation);
      if (at >= 0) this.reservations.splice(at, 1);
    }
  }
}
