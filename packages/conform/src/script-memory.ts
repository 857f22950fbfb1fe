import { EFAULT, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  FOLL_LONGTERM,
  FOLL_WRITE,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_HUGETLB,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  type MmStruct,
  PM_FILE,
  PM_MMAP_EXCLUSIVE,
  PM_PRESENT,
  PM_SWAP,
  pagemapEntry,
  pinUserPages,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMunmap,
  unpinUserPage,
} from '@hmm/mm';
import { addressSpacePut, shmemFileSetup } from '@hmm/mm/internal';
import type { Advice, MappingKind, MemoryOperation } from './memory-operation.js';
import { pageOf, type RegionRange } from './region.js';

const ADVICE: Readonly<Record<Advice, number>> = {
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  pageout: MADV_PAGEOUT,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  populate_read: MADV_POPULATE_READ,
  populate_write: MADV_POPULATE_WRITE,
  collapse: MADV_COLLAPSE,
};

function protOf(word: string): number {
  if (word === 'none') return PROT_NONE;
  return (word.includes('r') ? PROT_READ : 0) | (word.includes('w') ? PROT_WRITE : 0);
}

/** What an operation on memory showed; fields that it does not have are left out. */
export interface MemoryObservation {
  readonly rc?: number;
  readonly v?: readonly (number | string)[];
  /** Pages, within the operation, whose write raised a signal. */
  readonly sig?: readonly number[];
}

/** The memory of a script's process: an address space and its long-term pins. */
export class ScriptMemory {
  readonly mm: MmStruct;
  private readonly pinned: number[] = [];

  constructor(mm: MmStruct) {
    this.mm = mm;
  }

  /** Runs an operation and says what it showed. */
  *run(operation: MemoryOperation): Task<MemoryObservation> {
    switch (operation.name) {
      case 'cr':
        return { v: yield* this.read(operation) };
      case 'cw':
        return { sig: yield* this.write(operation, operation.value) };
      case 'pm':
        return { v: this.pagemap(operation) };
      default:
        return { rc: yield* this.systemCall(operation) };
    }
  }

  /** Drops all pins. */
  unpin(): void {
    for (const page of this.pinned.splice(0)) unpinUserPage(this.mm.system, page);
  }

  private *systemCall(operation: Exclude<MemoryOperation, { name: 'cr' | 'cw' | 'pm' }>): Task<number> {
    const { mm } = this;
    switch (operation.name) {
      case 'mmap':
        return yield* this.mmap(operation.region, operation.pages, protOf(operation.prot), operation.kind);
      case 'munmap':
        return yield* sysMunmap(mm, pageOf(operation), operation.pages);
      case 'mlock':
        return yield* sysMlock(mm, pageOf(operation), operation.pages);
      case 'mprotect':
        return yield* sysMprotect(mm, pageOf(operation), operation.pages, protOf(operation.prot));
      case 'madvise':
        return yield* sysMadvise(mm, pageOf(operation), operation.pages, ADVICE[operation.advice]);
      case 'mremap': {
        const { pages, toRegion, toOffset } = operation;
        const to = pageOf({ region: toRegion, offset: toOffset });
        const ret = yield* sysMremap(mm, pageOf(operation), pages, pages, MREMAP_MAYMOVE | MREMAP_FIXED, to);
        return Math.min(ret, 0);
      }
      case 'pin':
        return yield* this.pin(operation, operation.write);
      default:
        this.unpin();
        return 0;
    }
  }

  private *mmap(region: number, pages: number, prot: number, kind: MappingKind): Task<number> {
    const { system } = this.mm;
    const at = pageOf({ region, offset: 0 });
    const shared = kind === 'shared' || kind === 'memfd' ? MAP_SHARED : MAP_PRIVATE;
    if (kind !== 'memfd' && kind !== 'memfdp') {
      const huge = kind === 'hugetlb' ? MAP_HUGETLB : 0;
      const flags = shared | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | huge;
      return Math.min(yield* sysMmap(this.mm, at, pages, prot, flags), 0);
    }
    const file = shmemFileSetup(system, pages);
    if (file === null) return -EFAULT;
    const ret = yield* sysMmap(this.mm, at, pages, prot, shared | MAP_FIXED_NOREPLACE, { file });
    addressSpacePut(system, file);
    return Math.min(ret, 0);
  }

  private *read(range: RegionRange): Task<number[]> {
    const values: number[] = [];
    for (let i = 0; i < range.pages; i++) {
      values.push(Math.max(yield* cpuReadByte(this.mm, pageOf(range) + i, 0), -1));
    }
    return values;
  }

  private *write(range: RegionRange, value: number): Task<number[]> {
    const signals: number[] = [];
    for (let i = 0; i < range.pages; i++) {
      if ((yield* cpuWriteByte(this.mm, pageOf(range) + i, 0, (value + i) & 255)) < 0) signals.push(i);
    }
    return signals;
  }

  private pagemap(range: RegionRange): string[] {
    const words: string[] = [];
    for (let i = 0; i < range.pages; i++) {
      const bits = pagemapEntry(this.mm, pageOf(range) + i);
      const letter = (bit: number, name: string): string => ((bits & bit) !== 0 ? name : '');
      words.push(
        letter(PM_PRESENT, 'P') +
          letter(PM_SWAP, 'S') +
          letter(PM_FILE, 'F') +
          letter(PM_MMAP_EXCLUSIVE, 'X'),
      );
    }
    return words;
  }

  /** All pages or none: what was pinned before a failure is dropped again. */
  private *pin(range: RegionRange, write: boolean): Task<number> {
    const pages: number[] = [];
    const flags = FOLL_LONGTERM | (write ? FOLL_WRITE : 0);
    const got = yield* pinUserPages(this.mm, pageOf(range), range.pages, flags, pages);
    const complete = got === range.pages;
    for (const page of pages) {
      if (complete) this.pinned.push(page);
      else unpinUserPage(this.mm.system, page);
    }
    return complete ? 0 : -EFAULT;
  }
}
