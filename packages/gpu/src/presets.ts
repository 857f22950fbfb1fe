import { HmmError } from '@hmm/kernel';
import {
  ADA,
  AMPERE,
  BLACKWELL,
  BLACKWELL_GB20X,
  HOPPER,
  KEPLER,
  MAXWELL,
  onGrace,
  PASCAL,
  TURING,
  VOLTA,
} from './architectures.js';
import type { GpuArchitecture, GpuCapability, GpuPreset, HostArchitecture } from './capability.js';
import { type AccessCost, type Figure, figure, type LinkCost } from './cost.js';
import { accessCost as access, C2C, H100_ACCESS, PCIE3, PCIE4, PCIE5, PCIE5_H100 } from './preset-costs.js';
import {
  faultPathOf,
  GH100_FAULTS,
  H100_FAULTS,
  H200_FAULTS,
  NO_FAULTS,
  type FaultPath,
} from './fault-path.js';

const GIB = 2 ** 30;

interface PresetRow {
  readonly name: string;
  readonly title: string;
  readonly architecture: GpuArchitecture;
  readonly chip: string;
  readonly cc: string;
  readonly gib: number;
  readonly capability: GpuCapability;
  readonly link: LinkCost;
  readonly access: AccessCost;
  readonly faults: FaultPath;
  readonly scale: Figure;
  readonly label?: string;
  /** `x86-64` when left out. */
  readonly host?: HostArchitecture;
}

function preset(row: PresetRow): GpuPreset {
  return {
    name: row.name,
    title: row.title,
    architecture: row.architecture,
    chip: row.chip,
    computeCapability: row.cc,
    host: row.host ?? 'x86-64',
    memory: figure(row.gib * GIB, 'vendor'),
    capability: row.capability,
    link: row.link,
    access: row.access,
    faultPath: row.faults,
    serviceScale: row.scale,
    label: row.label ?? '',
  };
}

const GUESS = figure(1, 'estimate', 'no figure found; as on the measured H100');
const OLD_HOST = figure(2.8, 'estimate', 'batch times of a 2019-2021 host beside a 2026 one, SpecAsync-UVM');
const P100_LABEL = 'announced in 2016, never shipped: Pascal with HMM in the vendor driver';

/** Every GPU that can be named, oldest first. */
export const GPU_PRESETS: readonly GpuPreset[] = [
  preset({
    name: 'k80',
    title: 'Tesla K80',
    architecture: 'kepler',
    chip: 'GK210',
    cc: '3.7',
    gib: 12,
    capability: KEPLER,
    link: PCIE3,
    access: access(2, 3, 240, 11),
    faults: NO_FAULTS,
    scale: GUESS,
  }),
  preset({
    name: 'm40',
    title: 'Tesla M40',
    architecture: 'maxwell',
    chip: 'GM200',
    cc: '5.2',
    gib: 24,
    capability: MAXWELL,
    link: PCIE3,
    access: access(2, 3, 288, 11),
    faults: NO_FAULTS,
    scale: GUESS,
  }),
  preset({
    name: 'p100',
    title: 'Tesla P100',
    architecture: 'pascal',
    chip: 'GP100',
    cc: '6.0',
    gib: 16,
    capability: PASCAL,
    link: PCIE3,
    access: access(2, 2, 732, 11),
    faults: faultPathOf(6, 5, 2048),
    scale: OLD_HOST,
  }),
  preset({
    name: 'p100-2016',
    title: 'Tesla P100 with HMM',
    architecture: 'pascal',
    chip: 'GP100',
    cc: '6.0',
    gib: 16,
    capability: PASCAL,
    link: PCIE3,
    access: access(2, 2, 732, 11),
    faults: faultPathOf(6, 5, 2048),
    scale: OLD_HOST,
    label: P100_LABEL,
  }),
  preset({
    name: 'v100',
    title: 'Tesla V100',
    architecture: 'volta',
    chip: 'GV100',
    cc: '7.0',
    gib: 32,
    capability: VOLTA,
    link: PCIE3,
    access: access(1.5, 2, 900, 11),
    faults: faultPathOf(6, 6, 2048),
    scale: OLD_HOST,
  }),
  preset({
    name: 't4',
    title: 'T4',
    architecture: 'turing',
    chip: 'TU104',
    cc: '7.5',
    gib: 16,
    capability: TURING,
    link: PCIE3,
    access: access(1.5, 2, 320, 11),
    faults: faultPathOf(6, 3, 1024),
    scale: OLD_HOST,
  }),
  preset({
    name: 'a100',
    title: 'A100',
    architecture: 'ampere',
    chip: 'GA100',
    cc: '8.0',
    gib: 80,
    capability: AMPERE,
    link: PCIE4,
    access: access(1.2, 1.5, 2039, 23),
    faults: faultPathOf(7, 7, 2048),
    scale: GUESS,
  }),
  preset({
    name: 'rtx4090',
    title: 'GeForce RTX 4090',
    architecture: 'ada',
    chip: 'AD102',
    cc: '8.9',
    gib: 24,
    capability: ADA,
    link: PCIE4,
    access: access(1, 1.5, 1008, 23),
    faults: faultPathOf(11, 5, 1536),
    scale: GUESS,
  }),
  {
    name: 'h100',
    title: 'H100 80GB HBM3',
    architecture: 'hopper',
    chip: 'GH100',
    computeCapability: '9.0',
    host: 'x86-64',
    memory: figure(80 * GIB, 'vendor'),
    capability: HOPPER,
    link: PCIE5_H100,
    access: H100_ACCESS,
    faultPath: H100_FAULTS,
    serviceScale: figure(1, 'measured'),
    label: '',
  },
  preset({
    name: 'h200',
    title: 'H200 141GB HBM3e',
    architecture: 'hopper',
    chip: 'GH100',
    cc: '9.0',
    gib: 141,
    capability: HOPPER,
    link: PCIE5,
    access: access(1, 1, 4800, 51),
    faults: H200_FAULTS,
    scale: figure(
      1,
      'measured',
      'on an H200: services of serial faults of the h200-parts recording, scenarios of odd CRC-32 >> 3',
    ),
  }),
  preset({
    name: 'gh200',
    title: 'GH200 Grace Hopper',
    architecture: 'hopper',
    chip: 'GH100',
    cc: '9.0',
    gib: 96,
    host: 'aarch64',
    capability: onGrace(HOPPER),
    link: C2C,
    access: access(1, 0.6, figure(3400, 'paper', 'STREAM, KTH Grace Hopper study, ICPP 2024'), 375),
    faults: GH100_FAULTS,
    scale: GUESS,
  }),
  preset({
    name: 'b200',
    title: 'B200',
    architecture: 'blackwell',
    chip: 'GB100',
    cc: '10.0',
    gib: 180,
    capability: BLACKWELL,
    link: PCIE5,
    access: access(1, 1, 8000, 51),
    faults: faultPathOf(8, 9, 2048, 'estimate'),
    scale: GUESS,
  }),
  preset({
    name: 'gb200',
    title: 'GB200 Grace Blackwell',
    architecture: 'blackwell',
    chip: 'GB100',
    cc: '10.0',
    gib: 186,
    host: 'aarch64',
    capability: { ...onGrace(BLACKWELL), threads: figure(BLACKWELL.threads.value, 'estimate', 'as a B200') },
    link: C2C,
    access: access(1, 0.6, 8000, 375),
    faults: faultPathOf(8, 9, 2048, 'estimate'),
    scale: GUESS,
  }),
  preset({
    name: 'rtx5090',
    title: 'GeForce RTX 5090',
    architecture: 'blackwell',
    chip: 'GB202',
    cc: '12.0',
    gib: 32,
    capability: BLACKWELL_GB20X,
    link: PCIE5,
    access: access(1, 1, 1792, 51),
    faults: faultPathOf(11, 7, 1536),
    scale: figure(0.8, 'estimate', 'batch times of a 5070 Ti host, SpecAsync-UVM'),
  }),
];

/** Names of all presets, oldest GPU first. */
export function gpuPresetNames(): string[] {
  return GPU_PRESETS.map((p) => p.name);
}

/** The preset called `name`, or undefined. */
export function findGpuPreset(name: string): GpuPreset | undefined {
  return GPU_PRESETS.find((p) => p.name === name);
}

/**
 * The preset called `name`.
 * @throws HmmError `NO_GPU` for a name that none has.
 */
export function gpuPreset(name: string): GpuPreset {
  const found = findGpuPreset(name);
  if (found === undefined) {
    throw new HmmError('NO_GPU', `no GPU is called ${name}; known: ${gpuPresetNames().join(', ')}`, { name });
  }
  return found;
}
