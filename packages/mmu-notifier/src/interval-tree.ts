/**
 * The interval tree of `lib/interval_tree.c`: closed intervals of page numbers, found by overlap in the order of
 * their start, equal starts in the order they were inserted. A treap in columns, whose shape is a function of the
 * slots inserted; every node carries the greatest `last` of its subtree.
 *
 * @packageDocumentation
 */

import { declareState, ownState } from '@hmm/kernel/internal';

const NIL = 0;

/** What a saved {@link IntervalTree} holds. */
export interface IntervalTreeState {
  readonly root: number;
  readonly bounds: Float64Array;
  readonly links: Int32Array;
}

const rank = (slot: number): number => Math.imul(slot, 0x9e3779b1) >>> 0;

const OWN = 'kept by the tree itself, which knows when nothing has changed';

/** Intervals by slot. A slot is a small positive integer that the caller hands out. */
export class IntervalTree {
  /** What of it is state. */
  static readonly state = declareState(
    {
      bounds: { outside: OWN },
      links: { outside: OWN },
      root: { outside: OWN },
      unchanged: { outside: OWN },
    },
    ownState(IntervalTree, {
      save: (tree) => {
        const saved = tree.save();
        return {
          words: tree.slots().map((slot) => [slot, tree.startOf(slot), tree.lastOf(slot)]),
          restore: (): void => {
            tree.restore(saved);
          },
        };
      },
      fold: (tree, hash) => {
        for (const slot of tree.slots()) hash.word(slot);
      },
    }),
  );

  /** start, last and the subtree's greatest last of each slot. */
  private bounds = new Float64Array(3 * 4);
  /** left and right child of each slot. */
  private links = new Int32Array(2 * 4);
  private root = NIL;
  /** The saved state that this is still equal to. */
  private unchanged: IntervalTreeState | undefined;

  /** First page of the interval in `slot`. */
  startOf(slot: number): number {
    return this.bounds[3 * slot] ?? 0;
  }

  /** Last page of the interval in `slot`. */
  lastOf(slot: number): number {
    return this.bounds[3 * slot + 1] ?? 0;
  }

  /** Adds [start, last] under `slot`, which must not be in the tree. */
  insert(slot: number, start: number, last: number): void {
    while (3 * slot >= this.bounds.length) this.grow();
    this.unchanged = undefined;
    this.bounds[3 * slot] = start;
    this.bounds[3 * slot + 1] = last;
    this.links[2 * slot] = NIL;
    this.links[2 * slot + 1] = NIL;
    this.pull(slot);
    this.root = this.insertBelow(this.root, slot, start);
  }

  /** Takes `slot` out of the tree. */
  remove(slot: number): void {
    this.unchanged = undefined;
    this.root = this.removeBelow(this.root, slot, this.startOf(slot));
  }

  /** Whether any interval overlaps [start, last]. */
  overlaps(start: number, last: number): boolean {
    let at = this.root;
    while (at !== NIL) {
      const left = this.links[2 * at] ?? NIL;
      if (left !== NIL && (this.bounds[3 * left + 2] ?? 0) >= start) {
        at = left;
        continue;
      }
      if (this.startOf(at) > last) return false;
      if (this.lastOf(at) >= start) return true;
      at = this.links[2 * at + 1] ?? NIL;
    }
    return false;
  }

  /** Appends to `out` the slots that overlap [start, last], in order. */
  collect(start: number, last: number, out: number[]): void {
    this.collectBelow(this.root, start, last, out);
  }

  /** All slots, in order. */
  slots(): number[] {
    const slots: number[] = [];
    this.collect(0, Infinity, slots);
    return slots;
  }

  /** Takes every interval out. */
  clear(): void {
    this.unchanged = undefined;
    this.root = NIL;
  }

  /** A copy of the state, for {@link restore}. */
  save(): IntervalTreeState {
    return { root: this.root, bounds: this.bounds.slice(), links: this.links.slice() };
  }

  /** Sets the state back to a saved one. */
  restore(state: IntervalTreeState): void {
    if (state === this.unchanged) return;
    this.root = state.root;
    this.bounds.set(state.bounds);
    this.links.set(state.links);
    this.unchanged = state;
  }

  private collectBelow(at: number, start: number, last: number, out: number[]): void {
    if (at === NIL || (this.bounds[3 * at + 2] ?? 0) < start) return;
    this.collectBelow(this.links[2 * at] ?? NIL, start, last, out);
    if (this.startOf(at) > last) return;
    if (this.lastOf(at) >= start) out.push(at);
    this.collectBelow(this.links[2 * at + 1] ?? NIL, start, last, out);
  }

  private insertBelow(at: number, slot: number, start: number): number {
    if (at === NIL) return slot;
    const { links } = this;
    const side = start < this.startOf(at) ? 0 : 1;
    const child = this.insertBelow(links[2 * at + side] ?? NIL, slot, start);
    links[2 * at + side] = child;
    this.pull(at);
    return rank(child) > rank(at) ? this.rotate(at, child, side) : at;
  }

  private removeBelow(at: number, slot: number, start: number): number {
    if (at === NIL) return NIL;
    if (at === slot) return this.join(this.links[2 * at] ?? NIL, this.links[2 * at + 1] ?? NIL);
    const { links } = this;
    // Equal starts may lie on either side of a rotated node: try left first where the start allows both.
    const here = this.startOf(at);
    const left = links[2 * at] ?? NIL;
    if (start <= here && this.holds(left, slot, start)) links[2 * at] = this.removeBelow(left, slot, start);
    else links[2 * at + 1] = this.removeBelow(links[2 * at + 1] ?? NIL, slot, start);
    this.pull(at);
    return at;
  }

  private holds(at: number, slot: number, start: number): boolean {
    if (at === NIL) return false;
    if (at === slot) return true;
    const here = this.startOf(at);
    if (start < here) return this.holds(this.links[2 * at] ?? NIL, slot, start);
    if (start > here) return this.holds(this.links[2 * at + 1] ?? NIL, slot, start);
    return (
      this.holds(this.links[2 * at] ?? NIL, slot, start) ||
      this.holds(this.links[2 * at + 1] ?? NIL, slot, start)
    );
  }

  private join(left: number, right: number): number {
    if (left === NIL) return right;
    if (right === NIL) return left;
    const { links } = this;
    if (rank(left) > rank(right)) {
      links[2 * left + 1] = this.join(links[2 * left + 1] ?? NIL, right);
      this.pull(left);
      return left;
    }
    links[2 * right] = this.join(left, links[2 * right] ?? NIL);
    this.pull(right);
    return right;
  }

  private rotate(at: number, child: number, side: number): number {
    const { links } = this;
    links[2 * at + side] = links[2 * child + 1 - side] ?? NIL;
    links[2 * child + 1 - side] = at;
    this.pull(at);
    this.pull(child);
    return child;
  }

  private pull(at: number): void {
    const { bounds, links } = this;
    let most = bounds[3 * at + 1] ?? 0;
    const left = links[2 * at] ?? NIL;
    const right = links[2 * at + 1] ?? NIL;
    if (left !== NIL) most = Math.max(most, bounds[3 * left + 2] ?? 0);
    if (right !== NIL) most = Math.max(most, bounds[3 * right + 2] ?? 0);
    bounds[3 * at + 2] = most;
  }

  private grow(): void {
    const bounds = new Float64Array(this.bounds.length * 2);
    bounds.set(this.bounds);
    const links = new Int32Array(this.links.length * 2);
    links.set(this.links);
    this.bounds = bounds;
    this.links = links;
  }
}
