import type { Task } from '@hmm/kernel';
import type { AccessStream, StreamResult } from './access-stream.js';
import type { DeviceCounters } from './device-counters.js';
import type { ProcessMm } from './process-mm.js';

/** Whether the client can do the job on its GPU at all, and why not. */
export type Capability =
  | { readonly ok: true; readonly features: DeviceFeatures }
  | {
      readonly ok: false;
      /** What the attempt to open it returns, negative. */
      readonly errno: number;
      /** One clause that ends a sentence: "this GPU cannot replay a fault", "firmware GSP-RM owns the GPU". */
      readonly reason: string;
    };

/** What a working client offers; a program that needs more is told so before it runs. */
export interface DeviceFeatures {
  /** Any memory of the process (malloc, stack, files) is reachable without an allocation call. */
  readonly systemMemory: boolean;
  /** Why system memory is out of reach, as a clause: "HMM needs compute capability 7.5". Nothing where it is not, or nobody knows. */
  readonly systemMemoryRefusal?: string;
  /** {@link DeviceProcess.managed} exists. */
  readonly managedMemory: boolean;
  /** System-scope atomics are kept coherent with the CPU. */
  readonly atomics: boolean;
  /** Pages move to device memory because the device touched them, without being asked. */
  readonly faultMigration: boolean;
  /** Advice that {@link DeviceProcess.advise} accepts. */
  readonly advice: readonly AdviceKind[];
  /** Device operations that {@link DeviceProcess.operation} accepts. */
  readonly operations: readonly string[];
  /** Device memory, pages. 0 for a mirror without memory. */
  readonly memoryPages: number;
}

/** Where pages are or shall be. */
export type Place = 'cpu' | 'gpu';

/** Advice about a range: where it prefers to live, who maps it wherever it lives, whether it is mostly read. */
export type AdviceKind =
  'preferred' | 'accessed_by' | 'read_mostly' | 'unset_preferred' | 'unset_accessed_by' | 'unset_read_mostly';

/** Bits that {@link DeviceProcess.residency} answers with, one byte a page. */
export const RES_CPU = 1;
/** The data (or a valid copy) is in device memory. */
export const RES_DEVICE = 2;
/** The CPU's page table maps it. */
export const RES_CPU_MAPPED = 4;
/** The device's page table maps it, wherever the data is. */
export const RES_DEVICE_MAPPED = 8;
/** The device's mapping is writable. */
export const RES_DEVICE_WRITE = 16;

/** An agent of the driver, started with the machine: a fault worker, an interrupt bottom half. */
export interface ClientWorker {
  readonly name: string;
  /** May block for ever when there is nothing to do; the machine spawns it as a daemon. */
  readonly task: Task<unknown>;
}

/**
 * A driver and its device, as a machine uses them. A driver package satisfies this by shape and need not import
 * it. One instance drives one device; everything it does runs on the {@link "@hmm/kernel".Kernel} that it was made
 * with, so its times are the machine's virtual times and its events are in the machine's trace.
 *
 * A call that may wait (for a lock, a copy, the device) is a {@link Task}. Ranges are whole pages. A failure that
 * the real driver would return is a negative errno, never an exception.
 */
export interface DeviceClient {
  /** Short name for `--client` and reports: `nouveau`, `nvidia`, `test-device`. */
  readonly name: string;
  /** The GPU preset, or the device's own name where it is no GPU. */
  readonly gpu: string;
  /** Whether it works at all on this GPU, with this firmware and these settings. Asked before anything else. */
  capability(): Capability;
  /** The agents that serve its faults. A driver that serves faults in the faulting task has none. */
  workers(): readonly ClientWorker[];
  /** Makes `mm` known to the device (opens the device file in that process, registers the notifier). */
  openProcess(mm: ProcessMm): Task<OpenResult>;
  /**
   * Leaves only `pages` of device memory for use, evicting if more is in use; the real counterpart is another
   * tenant taking the rest. Returns 0, or `-EBUSY` when that much cannot be evicted, `-EOPNOTSUPP` when this driver
   * never gives memory back.
   */
  limitMemory(pages: number): Task<number>;
  /** Totals since the client was made, as they are now: a copy that does not change. */
  counters(): DeviceCounters;
  /** What it would have written to the kernel log, oldest first. */
  readonly log: readonly string[];
}

/** The answer of {@link DeviceClient.openProcess}. */
export type OpenResult =
  | { readonly ok: true; readonly process: DeviceProcess }
  | { readonly ok: false; readonly errno: number; readonly reason: string };

/** One process on one device. */
export interface DeviceProcess {
  /** Memory that the driver itself allocates; undefined where it has no such thing. */
  readonly managed: ManagedMemory | undefined;
  /**
   * Runs a kernel's accesses on the device, to their end or to the first failure; faults are served on the way by
   * {@link DeviceClient.workers} or here. Concurrent kernels are several tasks. After {@link DeviceProcess.close}
   * (also in the middle) it ends with `-EIO`.
   */
  launch(stream: AccessStream): Task<StreamResult>;
  /**
   * Moves a range (`cudaMemPrefetchAsync` and a synchronise, `SVM_BIND`, `HMM_DMIRROR_MIGRATE_*`). Best effort:
   * pages that cannot move stay, without an error, where the real driver is silent too.
   */
  prefetch(vpn: number, pages: number, to: Place): Task<number>;
  /** Records advice about a range; `-EOPNOTSUPP` where the driver has no such advice. */
  advise(vpn: number, pages: number, advice: AdviceKind, place: Place): Task<number>;
  /** A call of the driver's own (see {@link DeviceFeatures.operations}), by name. */
  operation(call: DeviceOperation): Task<DeviceOperationResult>;
  /** Fills `out[0, pages)` with `RES_*` bits: for maps and tests, without side effects. */
  residency(vpn: number, pages: number, out: Uint8Array): void;
  /** Why the process can run nothing more (a killed channel, a lost context); undefined while it can. */
  fatal(): string | undefined;
  /**
   * Closes the device in this process: running kernels end with `-EIO`, data in device memory goes home, managed
   * memory is freed. May come at any moment; a second call does nothing.
   */
  close(): Task;
}

/** Memory that the driver allocates and whose CPU faults it serves (`cudaMallocManaged`). */
export interface ManagedMemory {
  /**
   * Allocates `bytes` at page `vpn`. The caller (the machine) chooses addresses: `vpn` is a multiple of 512 and the
   * 2 MiB that hold the last byte are all this allocation's. Returns 0 or a negative errno.
   */
  alloc(vpn: number, bytes: number): Task<number>;
  /** Frees the allocation that starts at `vpn`; `-EINVAL` where none does. */
  free(vpn: number): Task<number>;
  /** What a CPU thread does to managed memory: faults go to the driver. Always serial. */
  cpuAccess(stream: AccessStream): Task<StreamResult>;
  /**
   * A system call that changes a part of it; `protection` is what `mprotect` asks for. Absent where the driver's memory can
   * only be freed whole. Returns 0 or a negative errno.
   */
  syscall?(
    call: 'munmap' | 'mprotect' | 'mremap',
    vpn: number,
    pages: number,
    protection?: string,
  ): Task<number>;
  /** The process forks: the driver drops what the child must not share. The child's accesses raise SIGBUS. */
  fork(): Task;
}

/** Arguments of a driver's own call; what is not needed is 0 or empty. */
export interface DeviceOperation {
  /** One of {@link DeviceFeatures.operations}: `snap`, `excl`, `dread` … */
  readonly name: string;
  readonly vpn: number;
  readonly pages: number;
  readonly value: number;
}

/** What a driver's own call returned. */
export interface DeviceOperationResult {
  /** 0 or a negative errno. */
  readonly rc: number;
  /** Pages that the call says it handled. */
  readonly cpages: number;
  /** Fault rounds that the call says it took. */
  readonly faults: number;
  /** Values per page, where the call returns any. */
  readonly values: readonly number[];
}
