import { HmmError } from '@hmm/kernel';
import type { GpuArchitecture, GpuCapability, GpuPreset } from './capability.js';
import { type AccessCost, type Figure, figure, type LinkCost } from './cost.js';

const GIB = 2 ** 30;

/** The H100's own figures: dependent chains, atomics, streams and copies timed on the recorded machine. */
const H100_ACCESS: AccessCost = {
  localRead: figure(200, 'measured', 'traced chain of one load a page, launch excluded'),
  localWrite: figure(810, 'measured', 'store and system fence'),
  localAtomic: figure(210, 'measured'),
  remoteRead: figure(1350, 'measured'),
  remoteWrite: figure(750, 'measured'),
  remoteAtomic: figure(1500, 'measured'),
  localGBs: figure(2950, 'measured', 'grid-stride read'),
  remoteGBs: figure(51, 'measured', 'grid-stride read of host memory'),
};

const PCIE5_H100: LinkCost = {
  name: 'PCIe 5 x16',
  toDeviceBase: figure(2470, 'measured', 'a transfer inside a driver push'),
  toDeviceGBs: figure(53.4, 'measured'),
  toHostBase: figure(1450, 'measured', 'a transfer inside a driver push'),
  toHostGBs: figure(55.6, 'measured'),
};

/** A link whose bandwidth is published; the fixed part of a transfer is taken over from the measured one. */
function link(name: string, gbs: Figure): LinkCost {
  return {
    name,
    toDeviceBase: figure(2470, 'estimate', 'as on the measured H100'),
    toDeviceGBs: gbs,
    toHostBase: figure(1450, 'estimate', 'as on the measured H100'),
    toHostGBs: gbs,
  };
}

const PCIE3 = link('PCIe 3 x16', figure(12, 'paper', 'UVMSmart, ISCA 2019: asymptote of 16 GB/s links'));
const PCIE4 = link('PCIe 4 x16', figure(24, 'paper', 'UVMSmart, ISCA 2019: asymptote of 32 GB/s links'));
const PCIE5 = link('PCIe 5 x16', figure(53, 'measured', 'on an H100; the same link'));
const C2C: LinkCost = {
  name: 'NVLink-C2C',
  toDeviceBase: figure(2470, 'estimate', 'as on the measured H100'),
  toDeviceGBs: figure(375, 'paper', 'KTH Grace Hopper study, ICPP 2024'),
  toHostBase: figure(1450, 'estimate', 'as on the measured H100'),
  toHostGBs: figure(297, 'paper', 'KTH Grace Hopper study, ICPP 2024'),
};

/** Access costs scaled from the measured ones: local by memory latency class, remote by the link. */
function access(local: number, remote: number, localGBs: number, remoteGBs: number): AccessCost {
  const scaled = (f: Figure, by: number): Figure =>
    figure(f.value * by, 'estimate', `H100's, scaled by ${by}`);
  return {
    localRead: scaled(H100_ACCESS.localRead, local),
    localWrite: scaled(H100_ACCESS.localWrite, local),
    localAtomic: scaled(H100_ACCESS.localAtomic, local),
    remoteRead: scaled(H100_ACCESS.remoteRead, remote),
    remoteWrite: scaled(H100_ACCESS.remoteWrite, remote),
    remoteAtomic: scaled(H100_ACCESS.remoteAtomic, remote),
    localGBs: figure(localGBs, 'vendor', 'peak memory bandwidth'),
    remoteGBs: figure(remoteGBs, 'estimate', 'the link'),
  };
}

const NO_FAULTS: GpuCapability = {
  vaBits: 40,
  leafOrders: [0, 4],
  replayableFaults: false,
  nonReplayableFaults: false,
  preciseCancel: false,
  prefetchFaults: false,
  scopedAtomics: false,
  accessCounters: false,
  ats: false,
  rangeInvalidate: false,
  interrupt: 'none',
  gsp: 'none',
  utlbFaults: 0,
  faultBufferEntries: 0,
  threads: 24 * 2048,
  linkAtomics: false,
  cpuAccessesVidmem: false,
};

const PASCAL: GpuCapability = {
  ...NO_FAULTS,
  vaBits: 49,
  leafOrders: [0, 4, 9],
  replayableFaults: true,
  interrupt: 'level',
  utlbFaults: 56,
  faultBufferEntries: 4096,
  threads: 56 * 2048,
};

const VOLTA: GpuCapability = {
  ...PASCAL,
  nonReplayableFaults: true,
  preciseCancel: true,
  prefetchFaults: true,
  scopedAtomics: true,
  accessCounters: true,
  rangeInvalidate: true,
  threads: 80 * 2048,
};

const TURING: GpuCapability = { ...VOLTA, interrupt: 'pulse', gsp: 'optional', threads: 40 * 1024 };
const AMPERE: GpuCapability = { ...TURING, threads: 108 * 2048 };
const ADA: GpuCapability = { ...AMPERE, gsp: 'required', threads: 128 * 1536 };
const HOPPER: GpuCapability = { ...AMPERE, vaBits: 57, gsp: 'required', threads: 132 * 2048 };
const GRACE: GpuCapability = { ...HOPPER, ats: true, linkAtomics: true, cpuAccessesVidmem: true };
const BLACKWELL: GpuCapability = { ...HOPPER, threads: 148 * 2048 };

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
  readonly scale: Figure;
  readonly label?: string;
}

function preset(row: PresetRow): GpuPreset {
  return {
    name: row.name,
    title: row.title,
    architecture: row.architecture,
    chip: row.chip,
    computeCapability: row.cc,
    memory: figure(row.gib * GIB, 'vendor'),
    capability: row.capability,
    link: row.link,
    access: row.access,
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
    capability: NO_FAULTS,
    link: PCIE3,
    access: access(2, 3, 240, 11),
    scale: GUESS,
  }),
  preset({
    name: 'm40',
    title: 'Tesla M40',
    architecture: 'maxwell',
    chip: 'GM200',
    cc: '5.2',
    gib: 24,
    capability: NO_FAULTS,
    link: PCIE3,
    access: access(2, 3, 288, 11),
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
    scale: GUESS,
  }),
  {
    name: 'h100',
    title: 'H100 80GB HBM3',
    architecture: 'hopper',
    chip: 'GH100',
    computeCapability: '9.0',
    memory: figure(80 * GIB, 'vendor'),
    capability: HOPPER,
    link: PCIE5_H100,
    access: H100_ACCESS,
    serviceScale: figure(1, 'measured'),
    label: '',
  },
  preset({
    name: 'gh200',
    title: 'GH200 Grace Hopper',
    architecture: 'hopper',
    chip: 'GH100',
    cc: '9.0',
    gib: 96,
    capability: GRACE,
    link: C2C,
    access: access(1, 0.6, 3400, 375),
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
    scale: GUESS,
  }),
  preset({
    name: 'rtx5090',
    title: 'GeForce RTX 5090',
    architecture: 'blackwell',
    chip: 'GB202',
    cc: '12.0',
    gib: 32,
    capability: { ...BLACKWELL, threads: 170 * 1536 },
    link: PCIE5,
    access: access(1, 1, 1792, 51),
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
