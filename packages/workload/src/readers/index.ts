/**
 * Readers of real memory traces: streams of bytes in, columns of accesses and observations out.
 *
 * @packageDocumentation
 */
export * from './access-batch.js';
export { parseKernelsList, type KernelsListEntry } from './accel-sim.js';
export * from './event-batch.js';
export * from './faults-as-accesses.js';
export { MAX_LINE_BYTES } from './line-splitter.js';
export { type ObjectIds } from './oracle-general.js';
export * from './pulled-batches.js';
export * from './read-trace.js';
export * from './trace-error.js';
export { DETECT_BYTES, detectFormat, type DetectedFormat, type TraceFormat } from './trace-format.js';
export * from './touched-ranges.js';
export { END_PAGE, type TraceSink } from './trace-output.js';
