export * from './access-stream.js';
export * from './device-client.js';
export * from './device-counters.js';
export type { ProcessMm } from './process-mm.js';
