import { DRIVER_POLICY, type UvmPerfPolicy } from '@hmm/nvidia-uvm-model';
import { fifo, leastFrequentlyUsed, mostRecentlyUsed, secondChance } from './eviction.js';
import { alwaysMax, densityTree, noPrefetch, sequential, stride } from './prefetch.js';

/** A policy by name. */
export interface NamedPolicy {
  readonly name: string;
  /** What it does, a clause. */
  readonly text: string;
  /** A fresh one: policies remember what they have seen. */
  readonly make: () => UvmPerfPolicy;
}

/** The driver's own policy, then those of gpu_ext: of eviction, and of prefetching. */
export const UVM_POLICIES: readonly NamedPolicy[] = [
  {
    name: 'driver',
    text: 'least recently used; 64 KiB and the density tree of 51 %',
    make: () => DRIVER_POLICY,
  },
  { name: 'fifo', text: 'evicts what was allocated first', make: fifo },
  { name: 'lfu', text: 'evicts what was used least often', make: leastFrequentlyUsed },
  { name: 'mru', text: 'evicts what was used last', make: mostRecentlyUsed },
  { name: 'second-chance', text: 'evicts by age, and passes once over what was used', make: secondChance },
  { name: 'none', text: 'takes nothing along', make: noPrefetch },
  { name: 'always-max', text: 'takes the whole block along', make: alwaysMax },
  { name: 'sequential', text: 'takes the next quarter of the block along', make: () => sequential() },
  { name: 'stride', text: 'takes along what the last stride predicts', make: () => stride() },
  { name: 'tree-25', text: 'the density tree of 25 %', make: () => densityTree(25) },
  { name: 'tree-75', text: 'the density tree of 75 %', make: () => densityTree(75) },
];
