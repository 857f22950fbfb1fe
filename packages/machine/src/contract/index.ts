/**
 * What every client promises, whatever its driver: values, coherence, and an orderly end. Run it on a new client with
 * {@link contractCases}; it needs no test framework.
 *
 * @packageDocumentation
 */
export { CONTRACT_PROGRAMS, type ContractProgram } from './cases.js';
export { type ClientMaker, type ContractCase } from './contract-machine.js';
export { contractCases } from './contract.js';
export { changedBy } from './state-cases.js';
export { MIRROR_STEPS, MirrorClient } from './mirror-client.js';
