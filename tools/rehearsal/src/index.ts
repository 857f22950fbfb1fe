/**
 * A release, rehearsed: what is refused, a registry, those who install from it.
 * @packageDocumentation
 */
export { readTarball, type PackedPackage } from './tarball.js';
export { refusals } from './refusals.js';
export { startRegistry, type Registry } from './registry.js';
