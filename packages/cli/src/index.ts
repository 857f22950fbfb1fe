export * from './cli.js';
export { type ClientRun, runOnClient, type RunRequest } from './client-run.js';
export { compareClients, compareCommand } from './compare-command.js';
export * from './input.js';
export * from './options.js';
export * from './output.js';
export { type RequestResult, readProgram, requestOf } from './program-input.js';
export { chooseClient, chooseGpu, runCommand } from './run-command.js';
export { conformCommand, type CorpusReplayer } from './conform-command.js';
export {
  type CaptureValidator,
  formatValidation,
  validateCommand,
  type ValidationReport,
} from './validate-command.js';
export {
  calibrateCommand,
  type CalibrationReport,
  type CaptureCalibrator,
  formatCalibration,
} from './calibrate-command.js';
export { demoCommand, type DemoRecording, type ReplayedScenario } from './demo-command.js';
export { litmusCommand, type LitmusDevices } from './litmus-command.js';
export { gpusCommand, type GpusReport, type GpuReport } from './gpus-command.js';
export { exportCommand } from './export-command.js';
export { importCommand } from './import-command.js';
export { recordCommand } from './record-command.js';
export { runCell, type SweepJob } from './sweep/cell.js';
export { sweepCommand } from './sweep/sweep-command.js';
