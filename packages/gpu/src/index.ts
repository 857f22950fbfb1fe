export type { AccessCounterNotification } from './access-counters.js';
export {
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_ATOMIC_WEAK,
  GPU_ACCESS_NEEDS,
  GPU_ACCESS_PREFETCH,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
  GPU_CANCEL_ALL,
  GPU_CANCEL_WRITE_AND_ATOMIC,
  GPU_FAULT_ATOMIC,
  GPU_FAULT_INVALID_PDE,
  GPU_FAULT_INVALID_PTE,
  GPU_FAULT_PDE_SIZE,
  GPU_FAULT_POISONED,
  GPU_FAULT_PRIV_VIOLATION,
  GPU_FAULT_UNBOUND_INST_BLOCK,
  GPU_FAULT_VA_LIMIT_VIOLATION,
  GPU_FAULT_WRITE,
  GPU_PTE_ATOMIC,
  GPU_PTE_BIG,
  GPU_PTE_FOREIGN,
  GPU_PTE_PEER,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  gpuFaultServiceable,
  gpuPtePeer,
} from './access.js';
export type { GpuArchitecture, GpuCapability, GpuPreset } from './capability.js';
export { GpuChannel, type NonReplayableFault } from './channel.js';
export { figure, type Figure } from './cost.js';
export { FaultBuffer, type GpuFaultEntry } from './fault-buffer.js';
export { GpuInstance } from './gpu-instance.js';
export { GpuKernel, type GpuAccesses, type GpuBulk } from './gpu-kernel.js';
export { GPU_ACCESS_OF_PROGRAM, gpuAccesses } from './gpu-stream.js';
export { Gpu, type GpuFaultHandler, type GpuOptions } from './gpu.js';
export { PhysicalMemory } from './memory.js';
export { GPU_LEAF_2M, GPU_LEAF_4K, GPU_LEAF_64K, GpuPageTable, type GpuWalker } from './page-table.js';
export { presetFigures, type PresetFigure } from './preset-figures.js';
export { GPU_PRESETS, findGpuPreset, gpuPreset, gpuPresetNames } from './presets.js';
export {
  findGpuTopology,
  GPU_TOPOLOGIES,
  type GpuTopology,
  makeGpus,
  type PeerLink,
  type PeerPath,
} from './topology.js';
