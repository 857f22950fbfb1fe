import type { Task } from '@hmm/kernel';
import type { AddressSpace } from './address-space.js';
import { anonVmaClone, unlinkAnonVmas, type AnonVma } from './anon-vma.js';
import { splitHugePmdAddress } from './huge-memory.js';
import { vmaSetRemove } from './vma-set.js';
import { insertByPgoff, removeFrom } from './vma-tree.js';
import type { Vma } from './vma.js';

/**
 * A change of VMA bounds that is under way.
 * @kernel mm/vma.c vma_prepare (without: per-VMA locks, uprobes)
 */
export interface VmaAdjustment {
  /** The VMA whose bounds change. */
  readonly vma: Vma;
  /** Its neighbour, if that one's bounds change as well. */
  readonly adjacent: Vma | undefined;
  /** A new VMA split off `vma`. */
  readonly insert: Vma | undefined;
}

const trees = (vma: Vma): readonly AnonVma[] => vma.anonVmaChain;

/**
 * Takes the rmap locks and the VMAs whose bounds change out of their trees.
 * @kernel mm/vma.c vma_prepare (without: per-VMA locks, uprobes)
 */
export function* vmaPrepare(change: VmaAdjustment): Task {
  const { vma, adjacent, insert } = change;
  const { file } = vma;
  const anonVma = vma.anonVma ?? adjacent?.anonVma ?? null;
  if (file !== null && !file.rwsem.tryWriteFast()) yield* file.rwsem.write();
  if (anonVma !== null && !anonVma.rwsem.tryWriteFast()) yield* anonVma.rwsem.write();
  if (file !== null && insert !== undefined) insertByPgoff(file.tree, insert);
  for (const changed of [vma, adjacent]) {
    if (changed === undefined) continue;
    for (const { tree } of trees(changed)) removeFrom(tree, changed);
    if (file !== null) removeFrom(file.tree, changed);
  }
}

/**
 * Puts the VMAs back with their new bounds. The order is visible in rmap walks: into the file's tree the neighbour goes
 * first, into an anon_vma's the VMA itself.
 * @kernel mm/vma.c vma_complete (without: uprobes, KSM, NUMA policies, the number of VMAs)
 */
export function vmaComplete(change: VmaAdjustment): void {
  const { vma, adjacent } = change;
  const { file } = vma;
  const anonVma = vma.anonVma ?? adjacent?.anonVma ?? null;
  if (file !== null) {
    if (adjacent !== undefined) insertByPgoff(file.tree, adjacent);
    insertByPgoff(file.tree, vma);
    file.rwsem.unlockWrite();
  }
  for (const { tree } of trees(vma)) insertByPgoff(tree, vma);
  if (adjacent !== undefined) for (const { tree } of trees(adjacent)) insertByPgoff(tree, adjacent);
  anonVma?.rwsem.unlockWrite();
}

/**
 * `dst` inherits the anon_vma of a VMA that it takes pages over from.
 * @kernel mm/vma.c dup_anon_vma (without: allocations that fail)
 */
export function* dupAnonVma(dst: Vma, src: Vma): Task {
  if (src.anonVma === null || dst.anonVma !== null) return;
  dst.anonVma = src.anonVma;
  yield* anonVmaClone(dst, src);
}

/**
 * Splits the huge PMD that a VMA's new boundary falls into.
 * @kernel mm/huge_memory.c split_huge_pmd_if_needed (all)
 */
export function* splitHugePmdIfNeeded(vma: Vma, boundary: number): Task {
  const start = boundary - (boundary % 512);
  if (start === boundary || start < vma.start || start + 512 > vma.end) return;
  yield* splitHugePmdAddress(vma, boundary);
}

/**
 * Splits `vma` at page `at`. `below`: the new VMA is the lower part, else the upper one; `vma` keeps the other.
 * @returns 0, or what the mapping's owner refuses with.
 * @kernel mm/vma.c __split_vma (without: NUMA policies, per-VMA locks, allocations that fail)
 */
export function* splitVma(vma: Vma, at: number, below: boolean): Task<number> {
  const refusal = vma.ops?.maySplit?.(vma, at) ?? 0;
  if (refusal !== 0) return refusal;
  const insert = below ? vma.copy(vma.mm, vma.start, at) : vma.copy(vma.mm, at, vma.end);
  if (vma.file !== null) vma.file.users++;
  insert.anonVma = vma.anonVma;
  yield* anonVmaClone(insert, vma);
  const change = { vma, adjacent: undefined, insert };
  yield* vmaPrepare(change);
  yield* splitHugePmdIfNeeded(vma, at);
  if (below) vma.moveStart(at);
  else vma.end = at;
  vmaComplete(change);
  const index = vma.mm.vmas.indexOf(vma);
  vma.mm.vmas.splice(below ? index : index + 1, 0, insert);
  vma.mm.recentVma = undefined;
  return 0;
}

/**
 * A VMA that a merge swallowed leaves its trees and the set.
 * @kernel mm/vma.c vma_complete (without: uprobes, KSM, NUMA policies, the number of VMAs)
 */
export function* removeSwallowed(vma: Vma): Task {
  yield* unlinkVma(vma);
  if (vma.file !== null) vma.file.users--;
  vmaSetRemove(vma);
}

/**
 * Takes a VMA out of all rmap trees.
 * @kernel mm/vma.c unlink_file_vma (without: the count of writable mappings of a file)
 */
export function* unlinkVma(vma: Vma): Task {
  yield* unlinkAnonVmas(vma);
  const { file } = vma;
  if (file === null) return;
  yield* lockFile(file);
  removeFrom(file.tree, vma);
  file.rwsem.unlockWrite();
}

/**
 * Makes a new VMA of a file findable.
 * @kernel mm/vma.c vma_link_file (without: the count of writable mappings of a file)
 */
export function* vmaLinkFile(vma: Vma): Task {
  const { file } = vma;
  if (file === null) return;
  yield* lockFile(file);
  insertByPgoff(file.tree, vma);
  file.rwsem.unlockWrite();
}

function* lockFile(file: AddressSpace): Task {
  if (!file.rwsem.tryWriteFast()) yield* file.rwsem.write();
}
