// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { UTLBS } from './gpu-kernel.js';
export { TLB_BATCH } from './tlb.js';
