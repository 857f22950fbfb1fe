/**
 * The whole model behind three functions: simulate a program, replay a trace, explore a litmus test. It needs no Node: it runs in a browser
 * and in its workers.
 *
 * @packageDocumentation
 */
export { clients, type ClientChoice, type ClientDescription } from './clients.js';
export { explore, type Exploration, type ExploreOptions } from './explore.js';
export { refusedBy, type Problem, type Refusal } from './problem.js';
export { replay, type Replay, type ReplayOptions } from './replay.js';
export { type FinishedSimulation, type StoppedSimulation } from './finished.js';
export { simulate, type Simulation, type SimulateOptions } from './simulate.js';
