// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { countersOfCards } from './card-counters.js';
export * from './completion-status.js';
export type { ClientExploration } from './client-factory.js';
export { deviceFrame } from './cpu-residency.js';
