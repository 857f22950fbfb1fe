/** fast-check, set up with the seed that this process uses for all property tests (`HMM_SEED`) and has printed. */
export { default as fc } from 'fast-check';
