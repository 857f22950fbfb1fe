import type { Vma } from './vma.js';

/**
 * The set of VMAs in which an anonymous page may be mapped. The tree is a sorted array: order is part of what the
 * kernel shows (rmap walks visit in it and announce each visit).
 * @kernel include/linux/rmap.h anon_vma
 */
export class AnonVma {
  /** What `MemMap.mapping` holds for its pages. */
  readonly id: number;
  /** The topmost ancestor; itself for one that fork did not derive. */
  readonly root: AnonVma;
  /** The anon_vma of the VMA that fork copied from; itself for a root. */
  readonly parent: AnonVma;
  /** VMAs whose pages may be here, ordered by first page offset, then by insertion. */
  readonly tree: Vma[] = [];
  /** VMAs that have this as their own `anonVma`. */
  activeVmas = 0;
  /** anon_vmas derived from this one that still exist. */
  children = 0;

  constructor(id: number, parent: AnonVma | null) {
    this.id = id;
    this.parent = parent ?? this;
    this.root = parent?.root ?? this;
  }
}
