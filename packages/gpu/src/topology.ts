import { type Kernel, PAGE_SIZE } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type Figure, figure, linkTime } from './cost.js';
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
  /** What the first copy between two GPUs takes on top, and the first of more than a page, ns. */
  readonly firstCopy: Figure;
  readonly firstLargeCopy: Figure;
}

/** The link between two GPUs, whichever of them copies. */
export class PeerPath {
  /** What of it is state. */
  static readonly state = declareState({
    link: { outside: 'what the machine is' },
    copied: { saved: 'what copies cost' },
    copiedLarge: { saved: 'what copies cost' },
  });

  readonly link: PeerLink;
  private copied = false;
  private copiedLarge = false;

  constructor(link: PeerLink) {
    this.link = link;
  }

  /** The time of the next copy, of `bytes` bytes, ns. */
  copy(bytes: number): number {
    const { base, firstCopy, firstLargeCopy, gbs } = this.link;
    let ns = linkTime(base.value, gbs.value, bytes);
    const isLarge = bytes > PAGE_SIZE;
    if (!this.copied) ns += firstCopy.value;
    if (isLarge && !this.copiedLarge) ns += firstLargeCopy.value;
    this.copied = true;
    this.copiedLarge ||= isLarge;
    return ns;
  }
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
  firstCopy: figure(156_000, 'measured', 'the first copy of each recorded process'),
  firstLargeCopy: figure(116_000, 'measured', 'the first copy of more than a page of each recorded process'),
};

const PCIE3_PEERS: PeerLink = {
  name: 'PCIe 3 x16, peer to peer',
  nvlink: false,
  base: figure(2500, 'estimate', 'as a copy between host and device'),
  gbs: figure(11, 'estimate', 'as a copy between host and device'),
  firstCopy: figure(156_000, 'estimate', 'as over NVLink'),
  firstLargeCopy: figure(116_000, 'estimate', 'as over NVLink'),
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
  const paths = cards.map((): (PeerPath | undefined)[] => []);
  for (let a = 0; a < cards.length; a++) {
    for (let b = a + 1; b < cards.length; b++) linkPair(paths, a, b, topology.link);
  }
  for (const [i, card] of cards.entries()) card.connect(cards, paths[i] ?? []);
  return cards;
}

/** Both ends of the link between GPUs number `a` and `b` know one path. */
function linkPair(paths: (PeerPath | undefined)[][], a: number, b: number, link: PeerLink | undefined): void {
  const path = link === undefined ? undefined : new PeerPath(link);
  const [ofA, ofB] = [paths[a], paths[b]];
  if (ofA !== undefined) ofA[b] = path;
  if (ofB !== undefined) ofB[a] = path;
}
