export * from './device-exclusive.js';
export * from './device-range.js';
export * from './invariants.js';
export * from './memremap.js';
export * from './migrate-pfn.js';
export * from './migrate-vma.js';
