export * from './capture.js';
export * from './duel.js';
export * from './events.js';
export * from './orders.js';
export * from './report.js';
export * from './scenario.js';
export * from './times.js';
export * from './totals.js';
