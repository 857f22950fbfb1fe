import type { Kernel } from '@hmm/kernel';
import { type Figure, figure } from './cost.js';
import { Gpu, type GpuOptions } from './gpu.js';
import { PhysicalMemory } from './memory.js';
import { gpuPreset } from './presets.js';

/** A link between two GPUs. A copy takes base + bytes / bandwidth. */
export interface PeerLink {
  /** What it is called: `NVLink 4`. */
  readonly name: string;
  /** System-scope atomics work across it, and it is faster than the host's. */
  readonly nvlink: boolean;
  /** ns. */
  readonly base: Figure;
  /** GB/s (1e9 bytes). */
  readonly gbs: Figure;
}

/** The GPUs of a machine, all of one model, and what links any two of them. */
export interface GpuTopology {
  /** For `--gpu`. */
  readonly name: string;
  readonly title: string;
  /** The model: a preset's name. */
  readonly preset: string;
  readonly gpus: number;
  /** Between any two; undefined where data goes through host memory. */
  readonly link: PeerLink | undefined;
}

const NVLINK4: PeerLink = {
  name: 'NVLink 4',
  nvlink: true,
  base: figure(2255, 'measured', 'copies of 4 KiB to 1 MiB between two H200 by the driver'),
  gbs: figure(395, 'measured', 'copies of 4 KiB to 1 MiB between two H200 by the driver'),
};

const PCIE3_PEERS: PeerLink = {
  name: 'PCIe 3 x16, peer to peer',
  nvlink: false,
  base: figure(2500, 'estimate', 'as a copy between host and device'),
  gbs: figure(11, 'estimate', 'as a copy between host and device'),
};

/** The machines with several GPUs that are known by name. */
export const GPU_TOPOLOGIES: readonly GpuTopology[] = [
  { name: '2xh200-nvlink', title: 'two H200, NVLink', preset: 'h200', gpus: 2, link: NVLINK4 },
  { name: 'dgx-h200', title: 'eight H200, NVLink', preset: 'h200', gpus: 8, link: NVLINK4 },
  { name: '2xpcie', title: 'two P100, peers over PCIe', preset: 'p100', gpus: 2, link: PCIE3_PEERS },
  { name: '2xpcie-nopeers', title: 'two P100, by way of the host', preset: 'p100', gpus: 2, link: undefined },
];

/** The topology called `name`; undefined where none is. */
export function findGpuTopology(name: string): GpuTopology | undefined {
  return GPU_TOPOLOGIES.find((topology) => topology.name === name);
}

/**
 * The GPUs of a machine, linked, with one host memory. `options` are each GPU's.
 * @throws HmmError `PRESET` when the model is unknown.
 */
export function makeGpus(kernel: Kernel, topology: GpuTopology, options: GpuOptions = {}): Gpu[] {
  const preset = gpuPreset(topology.preset);
  const sysmem = options.sysmem ?? new PhysicalMemory();
  const cards: Gpu[] = [];
  for (let i = 0; i < topology.gpus; i++) cards.push(new Gpu(kernel, preset, { ...options, sysmem }));
  for (const card of cards) {
    card.connect(
      cards,
      cards.map((other) => (other === card ? undefined : topology.link)),
    );
  }
  return cards;
}
