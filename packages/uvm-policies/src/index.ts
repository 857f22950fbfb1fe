export { fifo, leastFrequentlyUsed, mostRecentlyUsed, secondChance } from './eviction.js';
export { type NamedPolicy, UVM_POLICIES } from './policies.js';
export { alwaysMax, densityTree, noPrefetch, sequential, stride, type StrideOptions } from './prefetch.js';
