import { uvmBenchWorkloads } from './uvmbench.js';
import { uvmSmartWorkloads } from './uvmsmart.js';
import type { ModelledWorkload } from './workload.js';

/** The published collections by the name that a command line has for them; a workload is `collection:name`, in small letters. */
export const WORKLOAD_SUITES: ReadonlyMap<string, () => ModelledWorkload[]> = new Map([
  ['uvmsmart', uvmSmartWorkloads],
  ['uvmbench', uvmBenchWorkloads],
]);

/** One of them, for examples in help texts. */
export const EXAMPLE_WORKLOAD = 'uvmsmart:bfs';
