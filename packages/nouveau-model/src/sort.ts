/**
 * Sorts the first `num` items of `base` as the kernel does: a bottom-up heap sort, which is not stable. Which of two equal items
 * comes first can be seen by who looks closely, and a comparison that contradicts itself gives a determined order too.
 * @kernel lib/sort.c sort (without: elements of any size, which it swaps by their addresses)
 */
export function sort<T>(base: T[], num: number, cmp: (a: T, b: T) => number): void {
  let heap = num >> 1;
  if (heap === 0) return;
  let end = num;
  let step = 1;
  for (;;) {
    if (heap > 0) heap -= step;
    else if (end > 3) {
      // The two largest at once: the root, and the larger of its children.
      swap(base, 0, --end);
      const second = compare(base, 1, 2, cmp) <= 0 ? 2 : 1;
      step = second;
      heap = second;
      swap(base, second, --end);
    } else break;
    siftDown(base, heap, end, cmp);
  }
  swap(base, 0, --end);
  if (end === 2 && compare(base, 0, 1, cmp) > 0) swap(base, 0, 1);
}

/** Puts item `at` where it belongs in the heap below `end`: down to a leaf by the larger children, then up. */
function siftDown<T>(base: T[], at: number, end: number, cmp: (a: T, b: T) => number): void {
  let leaf = at;
  let child = 2 * leaf + 1;
  for (; child + 1 < end; child = 2 * leaf + 1)
    leaf = compare(base, child, child + 1, cmp) > 0 ? child : child + 1;
  if (child + 1 === end) leaf = child;
  while (leaf !== at && compare(base, at, leaf, cmp) >= 0) leaf = (leaf - 1) >> 1;
  const place = leaf;
  while (leaf !== at) {
    leaf = (leaf - 1) >> 1;
    swap(base, leaf, place);
  }
}

function compare<T>(base: readonly T[], a: number, b: number, cmp: (a: T, b: T) => number): number {
  const first = base[a];
  const second = base[b];
  return first === undefined || second === undefined ? 0 : cmp(first, second);
}

function swap(base: unknown[], a: number, b: number): void {
  const first = base[a];
  const second = base[b];
  if (first === undefined || second === undefined) return;
  base[a] = second;
  base[b] = first;
}
