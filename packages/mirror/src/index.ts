export * from './hmm.js';
export * from './hmm-dma.js';
export * from './hmm-range.js';
export { I66, I68 } from './invariants.js';
