import type { Vma } from './vma.js';

/**
 * The interval trees of rmap, `anon_vma->rb_root` and `i_mmap`, as arrays: ordered by the first page offset of the VMA,
 * equal ones by insertion. The order is visible: walks visit in it.
 * @kernel mm/interval_tree.c
 */

/**
 * Inserts behind all VMAs with the same first offset.
 * @kernel mm/interval_tree.c vma_interval_tree_insert (without: the tree: a sorted array is visited in the
 * same order)
 */
export function insertByPgoff(tree: Vma[], vma: Vma): void {
  let at = tree.length;
  while (at > 0 && (tree[at - 1]?.pgoff ?? 0) > vma.pgoff) at--;
  tree.splice(at, 0, vma);
}

/**
 * Inserts directly behind `previous`, which has the same first offset.
 * @kernel mm/interval_tree.c vma_interval_tree_insert_after (without: the tree: a sorted array is visited in
 * the same order)
 */
export function insertAfter(tree: Vma[], vma: Vma, previous: Vma): void {
  tree.splice(tree.indexOf(previous) + 1, 0, vma);
}

/** Takes `vma` out. */
export function removeFrom(tree: Vma[], vma: Vma): void {
  const at = tree.indexOf(vma);
  if (at >= 0) tree.splice(at, 1);
}
