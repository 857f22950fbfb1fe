export {
  ACCESS_ATOMIC,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  type AccessKind,
  type AccessSource,
  type AccessStream,
  type StreamResult,
  type StreamShape,
} from './access-stream.js';
export type { BrokenInvariant } from './broken-invariant.js';
export type { ClientFactory, ClientHost, ClientResult, DriverRules } from './client-factory.js';
export { COUNTER_NAMES, bytesMoved, causesOf, counterValue, warningsOf } from './counters-by-name.js';
export { cpuResidency } from './cpu-residency.js';
export type { ClientWorker, DeviceClient, OpenResult } from './device-client.js';
export {
  noCounters,
  type CauseBytes,
  type CountingCounters,
  type DeviceCounters,
  type PairBytes,
  type TimeByPart,
  type TransferCause,
} from './device-counters.js';
export {
  type AdviceKind,
  type Capability,
  type DeviceFeatures,
  gpuOfPlace,
  type Place,
  placeOfGpu,
} from './device-features.js';
export type { DeviceOperation, DeviceOperationResult } from './device-operation.js';
export type { DeviceProcess, ManagedMemory } from './device-process.js';
export type {
  DriverSteps,
  FunctionNaming,
  PrefetchQuestion,
  PrefetchTree,
  PrefetchTreeLevel,
} from './driver-steps.js';
export type { FrameContents } from './frame-contents.js';
export { RES_CPU, RES_CPU_MAPPED, RES_DEVICE, RES_DEVICE_MAPPED, RES_DEVICE_WRITE } from './residency.js';
export {
  runFigures,
  type CauseFigures,
  type FinishedRun,
  type RunFigures,
  type TimeParts,
} from './run-figures.js';
export { runStream, type SingleAccessDevice } from './run-stream.js';
export { SystemFrames } from './system-frames.js';
