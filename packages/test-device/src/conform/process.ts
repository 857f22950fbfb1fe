import { EFAULT, type Task } from '@hmm/kernel';
import {
  addressSpacePut,
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
  shmemFileSetup,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMunmap,
  unpinUserPage,
} from '@hmm/mm';
import type { MirrorOperations } from '../mirror-operations.js';
import type { Observation } from './corpus.js';
import type { Advice, MappingKind, Operation, RegionRange } from './operation.js';

/** Page of region 0: address 0x100000000000. */
const REGIONS = 0x100000000;
/** Pages of a region: 1 GiB. */
const REGION_PAGES = 0x40000;

/** First page of a range of a region. */
export function pageOf({ region, offset }: { readonly region: number; readonly offset: number }): number {
  return REGIONS + region * REGION_PAGES + offset;
}

/** Region and offset of a page, undefined for a page below the regions. */
export function regionOf(vpn: number): { region: number; offset: number } | undefined {
  if (vpn < REGIONS) return undefined;
  return { region: Math.floor((vpn - REGIONS) / REGION_PAGES), offset: (vpn - REGIONS) % REGION_PAGES };
}

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

/** A process of a script: an address space, the devices that it has open, and its long-term pins. */
export class ScriptProcess {
  readonly mm: MmStruct;
  private readonly devices: MirrorOperations;
  private readonly pinned: number[] = [];

  constructor(mm: MmStruct, devices: MirrorOperations) {
    this.mm = mm;
    this.devices = devices;
  }

  /** Runs an operation (not fork or wait, which concern two processes) and says what it showed, but for invalidations. */
  *run(operation: Operation): Task<Observation> {
    switch (operation.name) {
      case 'cr':
        return { v: yield* this.read(operation) };
      case 'cw':
        return { sig: yield* this.write(operation, operation.value) };
      case 'pm':
        return { v: this.pagemap(operation) };
      case 'dopen':
        return { rc: yield* this.devices.open(operation.device, this.mm) };
      case 'device': {
        const { call, device, pages, value } = operation;
        const reply = yield* this.devices.call(device, this.mm, call, pageOf(operation), pages, value);
        const { rc, cpages, faults, values } = reply;
        return values.length > 0 ? { rc, cpages, faults, v: values } : { rc, cpages, faults };
      }
      case 'fork':
      case 'wait':
        return {};
      default:
        return { rc: yield* this.systemCall(operation) };
    }
  }

  private *systemCall(
    operation: Exclude<Operation, { name: 'cr' | 'cw' | 'pm' | 'dopen' | 'device' | 'fork' | 'wait' }>,
  ): Task<number> {
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
    if (kind === 'anon' || kind === 'shared') {
      const flags = shared | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
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

  /** Drops all pins. */
  unpin(): void {
    for (const page of this.pinned.splice(0)) unpinUserPage(this.mm.system, page);
  }
}
