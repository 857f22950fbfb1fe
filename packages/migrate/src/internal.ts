// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { cpagesMatch, type Broken } from './invariants.js';
export { migrationPoint } from './migration-point.js';
export { moveFolio } from './pages.js';
