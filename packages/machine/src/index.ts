export { cardsOn, gpusFor, plugDevice, type PluggedDevice, type PluggedResult } from './cards.js';
export { CPU_COST, type CpuCost } from './cpu-access.js';
export { fatalReason } from './fatal-reason.js';
export { sizeUnit, splitSettings, type SplitSettings } from './machine-settings.js';
export { Machine, type DeviceResult, type MachineOptions } from './machine.js';
export type { PlayPhase, PlayRegion, PlayScript } from './play-script.js';
export {
  pagesTaken,
  playScript,
  type PlayHint,
  type PlayMemory,
  type PlayOptions,
  type PlayResult,
  type PlayedPhase,
} from './play.js';
export { Process } from './process.js';
export { ProgramContext, type FailedAssertion, type StatementObserver } from './program-context.js';
export { prepareProgram, runProgram, type PreparedProgram, type ProgramRun } from './program.js';
export { ResidencyHistory, type RegionHistory } from './residency-history.js';
export { traceScript, type TraceAgents, type TraceInput } from './trace-script.js';
export { workloadScript } from './workload-script.js';
export type { Region } from '@hmm/operations';
