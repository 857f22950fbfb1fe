/**
 * Access patterns and programs: what drives a machine when there is no trace of a real program.
 *
 * @packageDocumentation
 */
export * from './algebra-programs.js';
export * from './combine.js';
export * from './graph.js';
export * from './grid-programs.js';
export * from './hash-join.js';
export * from './linear.js';
export * from './matrix.js';
export { mix, mixBelow, mixUnit, permuted } from './mix.js';
export * from './pattern.js';
export * from './phases.js';
export * from './programs.js';
export * from './random.js';
export { RowPattern } from './row-pattern.js';
export * from './stencil.js';
export * from './uvmbench.js';
export * from './uvmsmart.js';
export * from './workload.js';
export * from './zipf.js';
export * from './suites.js';
