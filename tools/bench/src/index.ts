/// <reference types="node" />
/**
 * The harness that runs the benchmarks of all packages.
 * @packageDocumentation
 */
export * from './benchmark.js';
export * from './discover.js';
export * from './run.js';
