/**
 * What every client promises, whatever its driver: values, coherence, and an orderly end. Run it on a new client with
 * {@link contractCases}; it needs no test framework.
 *
 * @packageDocumentation
 */
export { CONTRACT_PROGRAMS, type ContractProgram } from './cases.js';
export * from './contract.js';
export { MirrorClient } from './mirror-client.js';
