export * from './client-report.js';
export { findDifferences, PART_TEXT, type ProgramTraits, type Rules, type Topic } from './differences.js';
export * from './format-report.js';
export * from './table.js';
export * from './units.js';
