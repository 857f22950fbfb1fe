export { calibrateCommand } from './calibrate-command.js';
export {
  command,
  main,
  runApplication,
  subcommand,
  type Application,
  type CommandBuilder,
  type CommandHost,
} from './cli.js';
export { runOnClient, type ClientRun, type RunRequest } from './client-run.js';
export { besideExplicit, compareClients, compareCommand } from './compare-command.js';
export {
  type ConformAnswer,
  conformCommand,
  type ConformJob,
  type CorpusReplayer,
  type CorpusReplayers,
  replayCorpus,
} from './conform-command.js';
export { demoCommand, type DemoRecording, type DemoYear, type ReplayedScenario } from './demo-command.js';
export { exportCommand } from './export-command.js';
export { fleetCommand } from './fleet-command.js';
export { gpusCommand, type GpusReport } from './gpus-command.js';
export { importCommand } from './import-command.js';
export { directoryFiles, fileReason, readInput, type InputResult } from './input.js';
export { litmusCommand, type LitmusDevices } from './litmus-command.js';
export { serveExplorations } from './jobs/serve.js';
export { jsonOption, positiveNumber, wholeNumber } from './options.js';
export { EXIT_FAILED, EXIT_OK, EXIT_USAGE, fail, processOutput, type Output } from './output.js';
export { policiesCommand, type PolicyChoice, type PolicyResult } from './policies-command.js';
export { readProgram, requestOf, type RequestResult } from './program-input.js';
export { readReport, type ReportCase } from './reported/case.js';
export { reportsPage } from './reported/page.js';
export { runReport, type ReportedRun, type ReportOptions, type TriedAdvice } from './reported/run.js';
export { recordCommand } from './record-command.js';
export { runCommand } from './run-command.js';
export { suitesCommand, type SuitesReport } from './suites-command.js';
export { runCell, type SweepJob } from './sweep/cell.js';
export { sweepCommand } from './sweep/sweep-command.js';
export { validateCommand, type CaptureValidator, type ValidationReport } from './validate-command.js';
