import type { UvmChunkView, UvmPerfPolicy } from '@hmm/nvidia-uvm-model';

/** The index of the candidate with the least of something; the first of several. */
function least(candidates: readonly UvmChunkView[], of: (chunk: UvmChunkView) => number): number {
  let best = 0;
  let lowest = Infinity;
  for (const [i, chunk] of candidates.entries()) {
    const value = of(chunk);
    if (value >= lowest) continue;
    lowest = value;
    best = i;
  }
  return best;
}

/** Evicts the chunk that was allocated first, however it was used since. */
export function fifo(): UvmPerfPolicy {
  return {
    name: 'fifo',
    selectVictim: (candidates) => least(candidates, ({ allocatedAt }) => allocatedAt),
  };
}

/** Evicts the chunk that the fewest services used. */
export function leastFrequentlyUsed(): UvmPerfPolicy {
  return { name: 'lfu', selectVictim: (candidates) => least(candidates, ({ uses }) => uses) };
}

/** Evicts the chunk that was used last: in a loop over more than there is, what is needed latest. */
export function mostRecentlyUsed(): UvmPerfPolicy {
  return { name: 'mru', selectVictim: (candidates) => candidates.length - 1 };
}

/** What second chance knows of a chunk. */
interface Chance {
  readonly allocatedAt: number;
  /** Its place in the queue: smaller goes first. */
  turn: number;
  /** Used since it was last looked at. */
  used: boolean;
}

/** Evicts in the order of allocation, but a chunk that was used since it was last looked at goes to the end of the queue instead. */
export function secondChance(): UvmPerfPolicy {
  const chances = new Map<number, Chance>();
  let turns = 0;
  const chanceOf = ({ root, allocatedAt }: UvmChunkView): Chance => {
    const known = chances.get(root);
    if (known !== undefined && known.allocatedAt === allocatedAt) return known;
    const fresh: Chance = { allocatedAt, turn: turns++, used: false };
    chances.set(root, fresh);
    return fresh;
  };
  return {
    name: 'second-chance',
    chunkUsed(chunk) {
      const before = chances.get(chunk.root);
      const chance = chanceOf(chunk);
      // The use that comes with the allocation is none.
      if (before === chance) chance.used = true;
    },
    selectVictim(candidates) {
      for (;;) {
        const at = least(candidates, (chunk) => chanceOf(chunk).turn);
        const [chunk] = candidates.slice(at, at + 1);
        if (chunk === undefined) return at;
        const chance = chanceOf(chunk);
        if (!chance.used) return at;
        chance.used = false;
        chance.turn = turns++;
      }
    },
  };
}
