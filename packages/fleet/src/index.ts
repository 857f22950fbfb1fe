/**
 * Explorations shared out over machines: parts of them wait in a queue in Redis for whoever has nothing to do.
 * @packageDocumentation
 */
export { Fleet, type FleetFindings } from './fleet-search.js';
export type { FleetAnswer, FleetJob, FleetOptions, FleetTask } from './job.js';
export { type FleetWork, serveFleet } from './serve-fleet.js';
