export * from './prove.js';
export * from './releases-page.js';
export * from './self-tests.js';
export * from './sources.js';
export * from './tables.js';
