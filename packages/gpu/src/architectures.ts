import type { GpuCapability } from './capability.js';
import { type Figure, figure } from './cost.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const PIB = 2 ** 50;

const read = (value: number, note = ''): Figure => figure(value, 'driver', note);
const sizes = (...bytes: readonly number[]): readonly Figure[] => bytes.map((size) => read(size));
const none = (what: string): Figure => read(0, `no ${what}`);

/** Threads that a GPU of `sms` SMs holds. */
export function threadsOf(sms: number, threads: number): Figure {
  return figure(sms * threads, 'vendor', `${sms} SMs of ${threads} threads`);
}

/** Kepler as in a K80. The open modules know nothing older than Maxwell: the rest is from nouveau. */
export const KEPLER: GpuCapability = {
  vaBits: read(40, 'nouveau'),
  rmVaBytes: figure(128 * GIB, 'estimate', 'as on Maxwell'),
  pageSizes: [4 * KIB, 128 * KIB].map((size) => read(size, 'nouveau')),
  replayableFaults: false,
  nonReplayableFaults: false,
  preciseCancel: false,
  prefetchFaults: false,
  scopedAtomics: false,
  accessCounters: false,
  ats: false,
  rangeInvalidate: false,
  invalidateBatch: none('invalidation by address'),
  interrupt: 'none',
  gsp: 'none',
  partitions: false,
  confidentialComputing: 'no',
  copyEngine: 'KEPLER_DMA_COPY_A',
  utlbFaults: none('replayable faults'),
  faultBufferEntries: none('fault buffer'),
  threads: threadsOf(13, 2048),
  linkAtomics: false,
  cpuAccessesVidmem: false,
};

/**
 * @uvm uvm_maxwell.c uvm_hal_maxwell_arch_init_properties (without: properties that nothing in the model asks
 * for)
 */
export const MAXWELL: GpuCapability = {
  ...KEPLER,
  vaBits: read(40),
  rmVaBytes: read(128 * GIB),
  pageSizes: [read(4 * KIB), read(64 * KIB, 'or 128 KiB: a choice for each address space')],
  copyEngine: 'MAXWELL_DMA_COPY_A',
  threads: threadsOf(24, 2048),
};

/**
 * @uvm uvm_pascal.c uvm_hal_pascal_arch_init_properties (without: properties that nothing in the model asks
 * for)
 */
export const PASCAL: GpuCapability = {
  ...MAXWELL,
  vaBits: read(49),
  rmVaBytes: read(128 * TIB),
  pageSizes: sizes(4 * KIB, 64 * KIB, 2 * MIB),
  replayableFaults: true,
  invalidateBatch: read(32, 'pages'),
  interrupt: 'level',
  copyEngine: 'PASCAL_DMA_COPY_A',
  utlbFaults: figure(56, 'estimate', 'as on a Titan V'),
  faultBufferEntries: figure(8192, 'estimate', 'room for what the uTLBs of 132 SMs can have outstanding'),
  threads: threadsOf(56, 2048),
};

/**
 * @uvm uvm_volta.c uvm_hal_volta_arch_init_properties (without: properties that nothing in the model asks
 * for)
 */
export const VOLTA: GpuCapability = {
  ...PASCAL,
  nonReplayableFaults: true,
  preciseCancel: true,
  prefetchFaults: true,
  scopedAtomics: true,
  accessCounters: true,
  rangeInvalidate: true,
  invalidateBatch: read(8, 'ranges'),
  copyEngine: 'VOLTA_DMA_COPY_A',
  utlbFaults: figure(56, 'paper', 'on a Titan V, SC 2021'),
  threads: threadsOf(80, 2048),
};

/**
 * @uvm uvm_turing.c uvm_hal_turing_arch_init_properties (without: properties that nothing in the model asks
 * for)
 */
export const TURING: GpuCapability = {
  ...VOLTA,
  interrupt: 'pulse',
  gsp: 'optional',
  copyEngine: 'TURING_DMA_COPY_A',
  utlbFaults: figure(56, 'estimate', 'as on a Titan V and on an H100'),
  threads: threadsOf(40, 1024),
};

/**
 * @uvm uvm_ampere.c uvm_hal_ampere_arch_init_properties (without: properties that nothing in the model asks
 * for)
 */
export const AMPERE: GpuCapability = {
  ...TURING,
  pageSizes: sizes(4 * KIB, 64 * KIB, 2 * MIB, 512 * MIB),
  partitions: true,
  copyEngine: 'AMPERE_DMA_COPY_A',
  threads: threadsOf(108, 2048),
};

/**
 * @uvm uvm_ada.c uvm_hal_ada_arch_init_properties (without: properties that nothing in the model asks for)
 */
export const ADA: GpuCapability = {
  ...AMPERE,
  gsp: 'required',
  partitions: false,
  copyEngine: 'AMPERE_DMA_COPY_B',
  threads: threadsOf(128, 1536),
};

/**
 * @uvm uvm_hopper.c uvm_hal_hopper_arch_init_properties (without: properties that nothing in the model asks
 * for)
 */
export const HOPPER: GpuCapability = {
  ...AMPERE,
  vaBits: read(57),
  rmVaBytes: read(64 * PIB),
  gsp: 'required',
  confidentialComputing: 'shared keys',
  copyEngine: 'HOPPER_DMA_COPY_A',
  utlbFaults: figure(56, 'measured', 'pages of a thread block in a first batch, on an H100'),
  threads: threadsOf(132, 2048),
};

/**
 * GB10x.
 * @uvm uvm_blackwell.c uvm_hal_blackwell_arch_init_properties (without: properties that nothing in the model
 * asks for)
 */
export const BLACKWELL: GpuCapability = {
  ...HOPPER,
  pageSizes: sizes(4 * KIB, 64 * KIB, 2 * MIB, 512 * MIB, 256 * GIB),
  confidentialComputing: 'channel keys',
  copyEngine: 'BLACKWELL_DMA_COPY_A',
  utlbFaults: figure(56, 'estimate', 'as on an H100'),
  threads: threadsOf(148, 2048),
};

/**
 * GB20x, whose MMU is Hopper's: no pages of 256 GiB. As a GeForce it has neither partitions nor confidential computing.
 * @uvm uvm_hal.c arch_table
 */
export const BLACKWELL_GB20X: GpuCapability = {
  ...BLACKWELL,
  pageSizes: HOPPER.pageSizes,
  partitions: false,
  confidentialComputing: 'no',
  copyEngine: 'BLACKWELL_DMA_COPY_B',
  threads: threadsOf(170, 1536),
};

/** A GPU on Grace's link: it walks the CPU's page tables, and each side loads, stores and does atomics on the other's memory. */
export function onGrace(gpu: GpuCapability): GpuCapability {
  return { ...gpu, ats: true, linkAtomics: true, cpuAccessesVidmem: true };
}
