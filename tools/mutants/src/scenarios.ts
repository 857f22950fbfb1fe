import { hugeScenarios } from './huge-scenarios.js';
import { odpScenarios } from './odp-scenarios.js';

/** Tests that are no litmus tests, by name: what is broken afterwards, undefined when all holds. */
export const scenarios: ReadonlyMap<string, () => string | undefined> = new Map([
  ...hugeScenarios,
  ...odpScenarios,
]);
