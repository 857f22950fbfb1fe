/**
 * Checks of the workspace itself, for its tests and for `npm test`.
 * @packageDocumentation
 */
export * from './readme.js';
