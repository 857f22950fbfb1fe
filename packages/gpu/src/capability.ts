import type { AccessCost, Figure, LinkCost } from './cost.js';
import type { FaultPath } from './fault-path.js';

/** GPU generations, oldest first. */
export type GpuArchitecture =
  'kepler' | 'maxwell' | 'pascal' | 'volta' | 'turing' | 'ampere' | 'ada' | 'hopper' | 'blackwell';

/** How the GPU signals faults: level-triggered, or a pulse that the driver clears before it reads GET and PUT again. */
export type FaultInterrupt = 'none' | 'level' | 'pulse';

/** Where the firmware GSP-RM stands: absent, a choice of the driver, or the only way to run the GPU. */
export type GspFirmware = 'none' | 'optional' | 'required';

/** Encryption of what crosses the link: none, with keys that an engine's channels share, or with a key for each channel. */
export type ConfidentialComputing = 'no' | 'shared keys' | 'channel keys';

/** Architecture of the CPU that a GPU comes with. */
export type HostArchitecture = 'x86-64' | 'aarch64';

/** What the hardware can do. Nothing here depends on a driver. */
export interface GpuCapability {
  /** Bits of a GPU virtual address. */
  readonly vaBits: Figure;
  /** Bytes of GPU addresses, from 0 on, that NVIDIA's resource manager keeps for itself. */
  readonly rmVaBytes: Figure;
  /** Sizes of pages that a leaf can map, bytes, ascending. */
  readonly pageSizes: readonly Figure[];
  /** Shader accesses that miss stall and can be replayed. */
  readonly replayableFaults: boolean;
  /** Faults of copy engines and hosts switch the channel out and can be resumed. */
  readonly nonReplayableFaults: boolean;
  /** A fault can be cancelled by address; else only by the uTLB it came through. */
  readonly preciseCancel: boolean;
  /** Prefetch instructions raise faults from the start. */
  readonly prefetchFaults: boolean;
  /** System-scope atomics are told from local ones. */
  readonly scopedAtomics: boolean;
  /** Counts accesses to remote memory per granule. Whether a driver release uses them is its own matter. */
  readonly accessCounters: boolean;
  /** Translates through the CPU's page tables. */
  readonly ats: boolean;
  /** TLB entries can be invalidated by range. */
  readonly rangeInvalidate: boolean;
  /** Ranges, or single pages without {@link rangeInvalidate}, that are invalidated one by one; with more, everything is. */
  readonly invalidateBatch: Figure;
  readonly interrupt: FaultInterrupt;
  readonly gsp: GspFirmware;
  /** Can be partitioned (MIG). */
  readonly partitions: boolean;
  readonly confidentialComputing: ConfidentialComputing;
  /** Class of the copy engine, by NVIDIA's name. */
  readonly copyEngine: string;
  /** Faults that one uTLB can have outstanding; 0 without replayable faults. */
  readonly utlbFaults: Figure;
  /** Entries of the replayable fault buffer; 0 without one. */
  readonly faultBufferEntries: Figure;
  /** Threads that all SMs hold at once. */
  readonly threads: Figure;
  /** System atomics work on the other side's memory, over the link. */
  readonly linkAtomics: boolean;
  /** The CPU can load and store device memory, coherently. */
  readonly cpuAccessesVidmem: boolean;
}

/** One GPU model. */
export interface GpuPreset {
  /** For `--gpu`. */
  readonly name: string;
  /** Marketing name. */
  readonly title: string;
  readonly architecture: GpuArchitecture;
  /** Chip, as nouveau names it. */
  readonly chip: string;
  readonly computeCapability: string;
  /** CPU of the machines it comes in. */
  readonly host: HostArchitecture;
  /** Device memory, bytes. */
  readonly memory: Figure;
  readonly capability: GpuCapability;
  readonly link: LinkCost;
  readonly access: AccessCost;
  /** How it raises replayable faults. */
  readonly faultPath: FaultPath;
  /** What a driver's service costs on this machine beside the recorded H100's, as a factor. */
  readonly serviceScale: Figure;
  /** Something a user has to know before trusting a run; empty for real products. */
  readonly label: string;
}
