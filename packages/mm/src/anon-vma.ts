import { RwSemaphore, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MemorySystem } from './memory-system.js';
import { accessTables } from './observe.js';
import { vmaNext, vmaPrev } from './vma-set.js';
import { insertByPgoff, removeFrom } from './vma-tree.js';
import { VM_READ, VM_WRITE, type Vma } from './vma.js';

/**
 * The set of VMAs in which an anonymous page may be mapped. The tree is a sorted array: order is part of what the
 * kernel shows (rmap walks visit in it and announce each visit).
 * @kernel include/linux/rmap.h anon_vma
 */
export class AnonVma {
  /** What of it is state. */
  static readonly state = declareState({
    id: 'constant',
    root: 'constant',
    parent: 'constant',
    rwsem: 'constant',
    tree: 'constant',
    activeVmas: 'value',
    children: 'value',
  });

  /** What `MemMap.mapping` holds for its pages. */
  readonly id: number;
  /** The topmost ancestor; itself for one that fork did not derive. */
  readonly root: AnonVma;
  /** The anon_vma of the VMA that fork copied from; itself for a root. */
  readonly parent: AnonVma;
  /** Held by walks over the tree (read) and by changes of it (write); the root's serves its descendants. */
  readonly rwsem: RwSemaphore;
  /** VMAs whose pages may be here, ordered by first page offset, then by insertion. */
  readonly tree: Vma[] = [];
  /** VMAs that have this as their own `anonVma`. */
  activeVmas = 0;
  /** anon_vmas derived from this one that still exist. */
  children = 0;

  constructor(system: MemorySystem, id: number, parent: AnonVma | null) {
    const { kernel } = system;
    this.id = id;
    this.parent = parent ?? this;
    this.root = parent?.root ?? this;
    this.rwsem = parent?.root.rwsem ?? new RwSemaphore(kernel.sched, system.mappingObjects + id, 'anon_vma');
  }
}

/**
 * A new anon_vma; `parent` is the one it is derived from by fork.
 * @kernel mm/rmap.c anon_vma_alloc (without: reference counts, for which the tree and the number of children
 * stand)
 */
export function anonVmaAlloc(system: MemorySystem, parent: AnonVma | null): AnonVma {
  const id = system.mappingId(system.anonVmas);
  const anonVma = new AnonVma(system, id, parent);
  if (parent !== null) parent.children++;
  system.anonVmas[id - 1] = anonVma;
  return anonVma;
}

/** Makes `vma` findable through `anonVma`. @kernel mm/rmap.c anon_vma_chain_link (all) */
export function anonVmaChainLink(vma: Vma, anonVma: AnonVma): void {
  vma.anonVmaChain.push(anonVma);
  insertByPgoff(anonVma.tree, vma);
}

/** Takes the write side of an anon_vma's lock. @kernel include/linux/rmap.h anon_vma_lock_write (all) */
export function* anonVmaLockWrite(anonVma: AnonVma): Task {
  if (!anonVma.rwsem.tryWriteFast()) yield* anonVma.rwsem.write();
}

/**
 * Gives `vma` an anon_vma if it has none: a neighbour's, if the two could be one VMA but for their permissions, else a
 * new one. The caller holds mmap_lock. @kernel mm/rmap.c __anon_vma_prepare (without: allocations that fail)
 */
export function* anonVmaPrepare(vma: Vma): Task {
  if (hasAnonVma(vma)) return;
  const anonVma = findMergeableAnonVma(vma) ?? anonVmaAlloc(vma.mm.system, null);
  yield* anonVmaLockWrite(anonVma);
  // Another thread of this mm may have been faster: it holds mmap_lock for reading, too.
  if (!hasAnonVma(vma)) {
    accessTables(vma.mm, true);
    vma.anonVma = anonVma;
    anonVma.activeVmas++;
    anonVmaChainLink(vma, anonVma);
  }
  anonVma.rwsem.unlockWrite();
  anonVmaFreeUnused(vma.mm.system, anonVma);
}

function hasAnonVma(vma: Vma): boolean {
  accessTables(vma.mm, false);
  return vma.anonVma !== null;
}

/** The anon_vma of a neighbour that `vma` may share. @kernel mm/vma.c find_mergeable_anon_vma (all) */
function findMergeableAnonVma(vma: Vma): AnonVma | undefined {
  const next = vmaNext(vma);
  if (next !== undefined && anonVmaCompatible(vma, next)) return next.anonVma ?? undefined;
  const previous = vmaPrev(vma);
  if (previous !== undefined && anonVmaCompatible(previous, vma)) return previous.anonVma ?? undefined;
  return undefined;
}

/**
 * @kernel mm/vma.c anon_vma_compatible (without: NUMA policies; differences in VM_EXEC and soft-dirty, which
 * the kernel lets pass)
 */
function anonVmaCompatible(a: Vma, b: Vma): boolean {
  const other = a.anonVma === null ? b : a;
  return (
    a.end === b.start &&
    a.file === b.file &&
    a.ops === b.ops &&
    ((a.flags ^ b.flags) & ~(VM_READ | VM_WRITE)) === 0 &&
    b.pgoff === a.pgoff + (b.start - a.start) &&
    other.anonVma !== null &&
    other.anonVmaChain.length === 1
  );
}

/**
 * Makes `dst` findable wherever `src` is.
 * @kernel mm/rmap.c anon_vma_clone (without: allocations that fail; one hold of the root's lock for several
 * anon_vmas)
 */
export function* anonVmaClone(dst: Vma, src: Vma, forFork = false): Task {
  for (const anonVma of [...src.anonVmaChain].reverse()) {
    yield* anonVmaLockWrite(anonVma);
    anonVmaChainLink(dst, anonVma);
    anonVma.rwsem.unlockWrite();
    // fork reuses an ancestor that nobody owns any more, instead of growing the hierarchy.
    if (
      forFork &&
      dst.anonVma === null &&
      src.anonVma !== null &&
      anonVma.children < 2 &&
      anonVma.activeVmas === 0
    )
      dst.anonVma = anonVma;
  }
  if (dst.anonVma !== null) dst.anonVma.activeVmas++;
}

/**
 * The child's VMA joins the parent's anon_vmas and gets an own one.
 * @kernel mm/rmap.c anon_vma_fork (without: allocations that fail)
 */
export function* anonVmaFork(child: Vma, parent: Vma): Task {
  if (parent.anonVma === null) return;
  child.anonVma = null;
  yield* anonVmaClone(child, parent, true);
  if (hasAnonVma(child)) return;
  const own = anonVmaAlloc(child.mm.system, parent.anonVma);
  child.anonVma = own;
  own.activeVmas++;
  yield* anonVmaLockWrite(own);
  anonVmaChainLink(child, own);
  own.rwsem.unlockWrite();
}

/**
 * A VMA that goes away leaves its anon_vmas.
 * @kernel mm/rmap.c unlink_anon_vmas (without: one hold of the root's lock for several anon_vmas)
 */
export function* unlinkAnonVmas(vma: Vma): Task {
  const { system } = vma.mm;
  if (vma.anonVma !== null) vma.anonVma.activeVmas--;
  vma.anonVma = null;
  const chain = vma.anonVmaChain.splice(0);
  for (const anonVma of chain) {
    yield* anonVmaLockWrite(anonVma);
    removeFrom(anonVma.tree, vma);
    anonVma.rwsem.unlockWrite();
  }
  for (const anonVma of chain.reverse()) anonVmaFreeUnused(system, anonVma);
}

/**
 * Frees an anon_vma that no VMA and no descendant needs.
 * @kernel include/linux/rmap.h put_anon_vma (without: references that walks and migrations hold)
 */
function anonVmaFreeUnused(system: MemorySystem, anonVma: AnonVma): void {
  let at = anonVma;
  while (at.tree.length === 0 && at.children === 0 && system.anonVmas[at.id - 1] === at) {
    system.anonVmas[at.id - 1] = null;
    if (at.parent === at) return;
    at = at.parent;
    at.children--;
  }
}
