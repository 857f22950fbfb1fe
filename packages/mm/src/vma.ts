import { type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { AddressSpace } from './address-space.js';
import type { AnonVma } from './anon-vma.js';
import type { MmStruct } from './mm-struct.js';
import type { SwapReadahead } from './swap-state.js';
import type { UserfaultfdCtx } from './userfaultfd.js';

/** `vm_flags`, with the kernel's values. */
export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
/** Missing pages are announced to a userfaultfd. */
export const VM_UFFD_MISSING = 0x200;
export const VM_PFNMAP = 0x400;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
export const VM_ACCOUNT = 0x100000;
export const VM_HUGETLB = 0x400000;
export const VM_WIPEONFORK = 0x2000000;
export const VM_MIXEDMAP = 0x10000000;
export const VM_HUGEPAGE = 0x20000000;
export const VM_NOHUGEPAGE = 0x40000000;

/** What `migrate_vma_setup` and others refuse. @kernel include/linux/mm.h VM_SPECIAL */
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;

/** A fault that a mapping's owner handles itself. @kernel include/linux/mm.h vm_operations_struct */
export interface VmOperations {
  /**
   * A CPU access faulted at page `vpn`; `flags` are `FAULT_FLAG_*`. Returns `VM_FAULT_*` bits; the access is repeated unless
   * they are an error.
   */
  fault(vma: Vma, vpn: number, flags: number): Task<number>;
  /** The VMA, or its part [start, end), goes away (munmap, exit). */
  close?(vma: Vma, start: number, end: number): void;
  /** Whether the VMA may get `flags`; absent: always. */
  mayProtect?(vma: Vma, flags: number): boolean;
  /** What the VMA mapped is mapped elsewhere now: the operations of what is left of it; absent: the same. */
  moved?(): VmOperations;
  /** The VMA is about to be split at `vpn`; a negative errno refuses. */
  maySplit?(vma: Vma, vpn: number): number;
}

/**
 * A range of an address space with one set of properties. Pages are virtual page numbers; `end` is exclusive.
 * @kernel include/linux/mm_types.h vm_area_struct
 */
export class Vma {
  /** What of it is state. */
  static readonly state = declareState({
    mm: 'constant',
    start: 'value',
    end: 'value',
    flags: 'value',
    pgoff: 'value',
    file: 'value',
    anonVma: 'value',
    anonVmaChain: 'constant',
    ops: 'value',
    swapReadahead: 'value',
    uffd: 'value',
  });

  /** The address space it is part of. */
  readonly mm: MmStruct;
  /** First page. */
  start: number;
  /** One past the last page. */
  end: number;
  /** `VM_*`. */
  flags: number;
  /** Offset of `start` in the mapping, pages: within the file, or the page number itself for anonymous memory. */
  pgoff: number;
  /** The file or shared-memory object mapped; null for anonymous private memory. */
  file: AddressSpace | null;
  /** Where its anonymous pages are found; null until it has some. */
  anonVma: AnonVma | null = null;
  /** All anon_vmas it is in (`anon_vma_chain`): the own one and its ancestors'. */
  readonly anonVmaChain: AnonVma[] = [];
  /** Set for mappings whose owner handles faults (a driver's file). */
  ops: VmOperations | null = null;
  /** Swap read-ahead state; null until the first swap-in. */
  swapReadahead: SwapReadahead | null = null;
  /** Who brings its missing pages; null: the kernel does. */
  uffd: UserfaultfdCtx | null = null;

  constructor(
    mm: MmStruct,
    start: number,
    end: number,
    flags: number,
    pgoff: number,
    file: AddressSpace | null,
  ) {
    this.mm = mm;
    this.start = start;
    this.end = end;
    this.flags = flags;
    this.pgoff = pgoff;
    this.file = file;
  }

  /** A VMA for the pages [start, end) of this one, in `mm`, with its properties but in no tree and with no anon_vma. */
  copy(mm: MmStruct, start: number, end: number): Vma {
    const copy = new Vma(mm, start, end, this.flags, this.pgoff + (start - this.start), this.file);
    copy.ops = this.ops;
    copy.swapReadahead = this.swapReadahead;
    copy.uffd = this.uffd;
    return copy;
  }

  /** Moves the first page to `start`, and the offset with it. */
  moveStart(start: number): void {
    this.pgoff += start - this.start;
    this.start = start;
  }

  /**
   * Whether it maps private memory whose pages are copied on write.
   * @kernel include/linux/mm.h is_cow_mapping (without: VM_MAYWRITE)
   */
  isCow(): boolean {
    return (this.flags & VM_SHARED) === 0;
  }

  /** Whether it is anonymous private memory. @kernel include/linux/mm.h vma_is_anonymous (all) */
  isAnonymous(): boolean {
    return this.file === null && this.ops === null;
  }
}
