import type {
  BrokenInvariant,
  Capability,
  ClientWorker,
  DeviceClient,
  DeviceCounters,
  OpenResult,
} from '@hmm/device';
import { GPU_PTE_VALID, type GpuPreset } from '@hmm/gpu';
import { ENODEV, ENOSYS, EOPNOTSUPP, type Kernel, type Task, errnoName, vpnToHex } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { PG_reserved } from '@hmm/mm/internal';
import { GpuNvifDevice } from './gpu-nvif-device.js';
import { NouveauChannel, nouveauChannelNew } from './nouveau-chan.js';
import { NouveauDrm } from './nouveau-drv.js';
import { nouveauBehaviours, nouveauSvmAvailable, type NouveauOptions } from './nouveau-options.js';
import { NouveauProcess } from './nouveau-process.js';
import type { BrokenRule } from './nouveau-svm-rules.js';
import { NouveauCli, nouveauSvmmInit } from './nouveau-svmm.js';
import { NvkmVmm } from './nvkm-vmm.js';

/** What {@link NouveauClient} needs beyond what the driver is loaded with. */
export interface NouveauClientOptions extends NouveauOptions {
  /** Bytes [addr, addr + size) that stay for classic buffer objects: what Mesa cuts out of the address space. */
  readonly unmanaged?: { readonly addr: number; readonly size: number };
}

/** 64 GiB below the area where mappings are made: free in every modelled process. */
const UNMANAGED = { addr: 2 ** 43, size: 2 ** 36 };

/**
 * nouveau and its GPU as a machine drives them: what Mesa does with the device file (SVM_INIT, one channel,
 * SVM_BIND) behind the verbs that all clients have.
 *
 * ```ts
 * const client = new NouveauClient(kernel, memory, gpuPreset('p100'));
 * const capability = client.capability();
 * ```
 */
export class NouveauClient implements DeviceClient {
  /** What of it is state. */
  static readonly state = declareState({
    name: 'constant',
    gpu: 'constant',
    drm: 'constant',
    device: 'constant',
    options: { outside: 'what the driver is loaded with' },
    opened: 'count',
  });

  readonly name = 'nouveau';
  /** The GPU preset's name. */
  readonly gpu: string;
  /** The driver itself, for callers that look inside. */
  readonly drm: NouveauDrm;
  /** The GPU under it. */
  readonly device: GpuNvifDevice;
  private readonly options: NouveauClientOptions;
  private opened = 0;

  constructor(kernel: Kernel, memory: MemorySystem, preset: GpuPreset, options: NouveauClientOptions = {}) {
    this.gpu = preset.name;
    this.options = options;
    const does = nouveauBehaviours(kernel, options);
    this.device = new GpuNvifDevice(kernel, memory, preset, does, options);
    this.drm = new NouveauDrm(memory, this.device, options);
  }

  /** What it would have written to the kernel log, oldest first. */
  get log(): readonly string[] {
    return this.drm.log;
  }

  /** Whether SVM works on this GPU with this firmware, and if not why. */
  capability(): Capability {
    const { chip, missingFirmware } = this.drm;
    const available = nouveauSvmAvailable(chip, this.options);
    if (!available.ok) return { ok: false, errno: -ENOSYS, reason: available.reason };
    const [first] = missingFirmware;
    if (first !== undefined) {
      const more = missingFirmware.length > 1 ? ` and ${missingFirmware.length - 1} more` : '';
      return {
        ok: false,
        errno: -ENODEV,
        reason: `the signed firmware of ${chip.name} is missing (${first}${more}), so its graphics engine takes no channel`,
      };
    }
    return {
      ok: true,
      features: {
        systemMemory: true,
        managedMemory: false,
        atomics: true,
        faultMigration: false,
        advice: [],
        operations: [],
        memoryPages: this.device.gpu.memoryPages,
      },
    };
  }

  /** None: the work item runs in the name of the kernel that waits for it. */
  workers(): readonly ClientWorker[] {
    return [];
  }

  /** Opens the device file in a process: SVM_INIT, then a channel. */
  *openProcess(mm: MmStruct): Task<OpenResult<NouveauProcess>> {
    const capability = this.capability();
    if (!capability.ok) return capability;
    const cli = new NouveauCli(this.drm, mm);
    const { addr, size } = this.options.unmanaged ?? UNMANAGED;
    const init = yield* nouveauSvmmInit(cli, { unmanagedAddr: addr, unmanagedSize: size });
    if (init !== 0) return { ok: false, errno: init, reason: `SVM_INIT failed with ${errnoName(init)}` };
    const channel = yield* nouveauChannelNew(cli);
    const { svmm } = cli;
    if (!(channel instanceof NouveauChannel) || svmm === undefined) {
      return { ok: false, errno: -ENODEV, reason: 'no channel could be made' };
    }
    this.opened++;
    const { gpu } = this.device;
    const file = { gpu, cli, svmm, channel, holders: 1, onClose: () => this.lastClose() };
    return { ok: true, process: new NouveauProcess(file, mm) };
  }

  /**
   * Leaves `pages` of device memory for SVM. nouveau gives no chunk back before it is unloaded:
   * `-EOPNOTSUPP` when more is in use.
   */
  *limitMemory(pages: number): Task<number> {
    if (this.drm.dmem === undefined) return -EOPNOTSUPP;
    return this.device.limitVram(pages) ? 0 : -EOPNOTSUPP;
  }

  /** Totals since the client was made. */
  counters(): DeviceCounters {
    const { counters } = this.drm;
    const { gpu } = this.device;
    return {
      faults: counters.faults,
      batches: counters.batches,
      cpuFaults: counters.cpuFaults,
      byCause: { user: counters.user, 'cpu-fault': counters.cpuFault, close: counters.close },
      remoteAccesses: gpu.remoteAccesses,
      remoteMaps: counters.remoteMaps,
      invalidations: counters.invalidations,
      retries: counters.retries,
      replays: counters.replays,
      throttled: 0,
      pinned: 0,
      evictedPages: 0,
      timeNs: {
        running: gpu.runningNs,
        faultWait: gpu.stalledNs,
        copying: counters.copyingNs,
        invalidating: counters.invalidatingNs,
      },
      residentNs: gpu.residentNs,
    };
  }

  /**
   * I5, for every page that a mirror maps on the GPU, and what work items broke of their rules (where that is looked at: where
   * interleavings are explored). Only asked for while no call is under way.
   */
  brokenInvariants(pages: readonly number[], atRest: boolean): readonly BrokenInvariant[] {
    const { svm } = this.drm;
    if (svm === undefined || !atRest) return [];
    const broken = this.staleMapping(pages) ?? svm.rules?.broken();
    return broken === undefined ? [] : [{ ...broken, story: [], times: 1 }];
  }

  /** A page that the GPU maps to a frame that nobody has. */
  private staleMapping(pages: readonly number[]): BrokenRule | undefined {
    const { svm, memory } = this.drm;
    for (const { vmm, mm } of svm?.openSvmms() ?? []) {
      if (!(vmm instanceof NvkmVmm)) continue;
      for (const vpn of pages) {
        const { table } = vmm;
        if ((table.flags(vpn) & GPU_PTE_VALID) === 0) continue;
        const frame = table.frame(vpn);
        // A page of a huge folio is as free as its head.
        if ((memory.map.refcount[memory.map.folio(frame)] ?? 0) > 0 || memory.map.test(frame, PG_reserved))
          continue;
        const detail = `the GPU maps page ${vpnToHex(vpn)} of mm ${mm.id} to frame ${frame}, which is free`;
        return { invariant: 'I5', detail };
      }
    }
    return undefined;
  }

  /**
   * The last process has closed the device: nothing happens to what is in device memory, whose pages name mirrors that are gone
   * now. Where that is mended it comes home.
   */
  private *lastClose(): Task {
    this.opened--;
    const { dmem, does } = this.drm;
    if (this.opened === 0 && !does.keepsFreedSvmm) yield* dmem?.evictAll() ?? nothing();
  }
}

function* nothing(): Task {}
