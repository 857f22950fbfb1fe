export * from './hmm.js';
export * from './hmm-dma.js';
export * from './hmm-range.js';
