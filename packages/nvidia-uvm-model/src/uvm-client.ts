import {
  type AdviceKind,
  type Capability,
  type ClientWorker,
  type DeviceClient,
  type DeviceCounters,
  type OpenResult,
  type PairBytes,
  type Place,
  placeOfGpu,
} from '@hmm/device';
import { Gpu, gpuPreset, type GpuPreset, type GpuTopology, makeGpus } from '@hmm/gpu';
import { EBUSY, HPAGE_PMD_NR, type Kernel, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { type UvmCapability, uvmCapability } from './uvm-capability.js';
import { UVM_RELEASE_DISCARD } from './uvm-discard.js';
import { UvmDriver, type UvmDriverOptions } from './uvm-driver.js';
import type { UvmManagedAccess } from './uvm-managed-access.js';
import { UvmModuleParams } from './uvm-module-params.js';
import type { UvmPerfPolicy } from './uvm-perf-policy.js';
import { UvmProcess } from './uvm-process.js';
import type { UvmBytes, UvmCounters } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_ID_MAX_PROCESSORS,
  type UvmProcessorId,
  UvmEventMigrationCauseAccessCounters,
  UvmEventMigrationCauseCoherence,
  UvmEventMigrationCauseEviction,
  UvmEventMigrationCausePrefetch,
  UvmEventMigrationCauseUser,
} from './uvm-types.js';

/** How a {@link UvmClient} is made. */
export interface UvmClientOptions extends Pick<UvmDriverOptions, 'exploration' | 'figures'> {
  readonly params?: UvmModuleParams;
  readonly policy?: UvmPerfPolicy;
  /** How CPU and GPU share managed memory; `concurrent` when left out. */
  readonly managedAccess?: UvmManagedAccess;
  /** Device memory, pages; the preset's, as far as the machine has frame numbers for it. */
  readonly memoryPages?: number;
  /** Release branch whose rules apply where branches differ; 580 when left out. */
  readonly release?: number;
  /** Seed of what hardware does by chance. */
  readonly seed?: number;
}

const NO_BYTES: Readonly<UvmBytes> = { toDevice: 0, toHost: 0, betweenDevices: 0 };

const ADVICE: readonly AdviceKind[] = [
  'preferred',
  'accessed_by',
  'read_mostly',
  'unset_preferred',
  'unset_accessed_by',
  'unset_read_mostly',
];

/**
 * The driver and its GPU as a machine drives them, with the verbs that all clients have.
 */
export class UvmClient implements DeviceClient {
  /** What of it is state. */
  static readonly state = declareState({
    name: 'constant',
    gpu: 'constant',
    driver: 'constant',
    preset: { outside: 'what the card is' },
    access: { outside: 'what the platform is' },
  });

  readonly name = 'nvidia';
  /** The GPU preset's name. */
  readonly gpu: string;
  /** The driver itself, for callers that look inside. */
  readonly driver: UvmDriver;
  private readonly preset: GpuPreset;
  private readonly access: UvmManagedAccess;

  /** `gpu` is what the machine has: one GPU of a model, or several. */
  constructor(
    kernel: Kernel,
    memory: MemorySystem,
    gpu: GpuPreset | GpuTopology,
    options: UvmClientOptions = {},
  ) {
    const several = 'gpus' in gpu ? gpu : undefined;
    const preset = 'gpus' in gpu ? gpuPreset(gpu.preset) : gpu;
    this.gpu = gpu.name;
    this.preset = preset;
    this.access = options.managedAccess ?? 'concurrent';
    const params = options.params ?? new UvmModuleParams();
    const capability = uvmCapability(preset, params, options.release);
    const mirrors = several === undefined && capability.ok && capability.system.kind !== 'none';
    const room = mirrors ? frameNumbers(memory) : Infinity;
    const memoryPages = Math.min(options.memoryPages ?? preset.memory.value / 4096, room);
    const card = {
      memoryPages,
      maxTables: memory.config.maxTables,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    };
    const cards = several === undefined ? [new Gpu(kernel, preset, card)] : makeGpus(kernel, several, card);
    this.driver = new UvmDriver(kernel, cards, { ...options, params });
    if (preset.label !== '') this.driver.log.push(`nvidia-uvm: ${preset.title}: ${preset.label}`);
  }

  /** What it would have written to the kernel log, oldest first. */
  get log(): readonly string[] {
    return this.driver.log;
  }

  /** Whether the driver works on this GPU, and if not why. */
  capability(): Capability {
    const capability = this.ability();
    if (!capability.ok) return capability;
    return {
      ok: true,
      features: {
        systemMemory: capability.system.kind !== 'none',
        ...(capability.system.kind === 'none' ? { systemMemoryRefusal: capability.system.reason } : {}),
        managedMemory: true,
        atomics: true,
        faultMigration: true,
        advice: ADVICE,
        operations: this.driver.global.release < UVM_RELEASE_DISCARD ? [] : ['discard', 'discard_unmap'],
        memoryPages: this.driver.gpu.hw.memoryPages,
        gpus: this.driver.gpus.length,
      },
    };
  }

  /** What the driver can do here: with several GPUs it is modelled for managed memory alone. */
  private ability(): UvmCapability {
    const { global, gpus } = this.driver;
    const capability = uvmCapability(this.preset, global.params, global.release);
    if (!capability.ok) return capability;
    if (this.access !== 'concurrent')
      return {
        ...capability,
        system: { kind: 'none', reason: 'the GPU has no concurrent access to memory of the CPU' },
      };
    if (gpus.length === 1) return capability;
    return { ...capability, system: { kind: 'none', reason: 'system memory is modelled with one GPU only' } };
  }

  /** None: faults are served in the time of the kernel that raises them. */
  workers(): readonly ClientWorker[] {
    return [];
  }

  /** Opens the device file in a process: a VA space and, where the GPU can, a mirror of its memory. */
  *openProcess(mm: MmStruct): Task<OpenResult<UvmProcess>> {
    const capability = this.ability();
    if (!capability.ok) return capability;
    const space = this.driver.openVaSpace();
    if (capability.system.kind !== 'none') {
      const errno = yield* this.driver.attachMm(space, mm, capability.system.kind === 'ats');
      if (errno !== 0) return { ok: false, errno, reason: 'the process is exiting' };
    } else space.systemMemoryRefusal = capability.system.reason;
    return { ok: true, process: new UvmProcess(space, mm, this.access) };
  }

  /**
   * Leaves `pages` of device memory, evicting what is in use beyond: as another tenant of the GPU would. Returns 0, or
   * `-EBUSY` when that much cannot be evicted.
   */
  *limitMemory(pages: number): Task<number> {
    const { driver } = this;
    for (const gpu of driver.gpus) {
      gpu.pmm.setLimit(Math.floor(pages / HPAGE_PMD_NR));
      while (gpu.pmm.excess > 0) if (!(yield* driver.evictAny(gpu))) return -EBUSY;
    }
    return 0;
  }

  /** Totals since the client was made. */
  counters(): DeviceCounters {
    const { gpus, tools } = this.driver;
    const c = tools.counters;
    const cause = (kind: number): Readonly<UvmBytes> => ({ ...(c.bytes[kind] ?? NO_BYTES) });
    const total = (of: (hw: Gpu) => number): number => gpus.reduce((sum, { hw }) => sum + of(hw), 0);
    return {
      faults: c.gpuFaults,
      batches: c.batches,
      cpuFaults: c.cpuFaults,
      byCause: {
        fault: cause(UvmEventMigrationCauseCoherence),
        prefetch: cause(UvmEventMigrationCausePrefetch),
        user: cause(UvmEventMigrationCauseUser),
        eviction: cause(UvmEventMigrationCauseEviction),
        counter: cause(UvmEventMigrationCauseAccessCounters),
      },
      ...(gpus.length > 1 ? { byPair: pairsOf(c) } : {}),
      remoteAccesses: total((hw) => hw.remoteAccesses),
      remoteMaps: c.remoteMaps,
      invalidations: c.invalidations,
      retries: c.retries,
      replays: c.replays,
      throttled: c.throttled,
      pinned: c.pinned,
      evictedPages: c.evictedPages,
      timeNs: {
        running: total((hw) => hw.runningNs),
        faultWait: Math.max(0, total((hw) => hw.stalledNs) - c.copyNs),
        copying: c.copyNs + c.explicitNs,
        invalidating: 0,
      },
      residentNs: total((hw) => hw.residentNs),
    };
  }
}

/** Bytes by where they came from and where they went. */
function pairsOf({ pairs }: UvmCounters): PairBytes[] {
  const found: PairBytes[] = [];
  for (const [at, bytes] of pairs.entries()) {
    if (bytes === 0) continue;
    const [from, to] = [Math.floor(at / UVM_ID_MAX_PROCESSORS), at % UVM_ID_MAX_PROCESSORS];
    found.push({ from: placeOf(from), to: placeOf(to), bytes });
  }
  return found;
}

function placeOf(id: UvmProcessorId): Place {
  return id === UVM_ID_CPU ? 'cpu' : placeOfGpu(id - UVM_ID_GPU);
}

/** Frame numbers that the machine has left for device memory, in whole root chunks. */
function frameNumbers(memory: MemorySystem): number {
  let free = memory.config.frames - memory.config.systemFrames;
  for (const pagemap of memory.pagemaps) free -= pagemap.nr;
  return Math.max(0, Math.floor(free / HPAGE_PMD_NR) * HPAGE_PMD_NR);
}
