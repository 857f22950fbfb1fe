export * from './cli.js';
export { allocates, type ClientRun, runOnClient, type RunRequest, withMemory } from './client-run.js';
export { compareClients, compareCommand } from './compare-command.js';
export * from './input.js';
export * from './options.js';
export * from './output.js';
export { type RequestResult, readProgram, requestOf } from './program-input.js';
export { chooseClient, chooseGpu, runCommand } from './run-command.js';
export { type ConformResult, conformCommand, type CorpusReplayer } from './conform-command.js';
export {
  type CaptureValidator,
  formatValidation,
  validateCommand,
  type ValidationReport,
} from './validate-command.js';
