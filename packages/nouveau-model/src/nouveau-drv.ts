import type { ClientExploration } from '@hmm/device/internal';
import { type Kernel, Mutex, type Task } from '@hmm/kernel';
import { declareState, observedTask } from '@hmm/kernel/internal';
import type { MemorySystem } from '@hmm/mm';
import type { NouveauBehaviours } from './nouveau-behaviours.js';
import type { NouveauChannel } from './nouveau-chan.js';
import type { NouveauCost } from './nouveau-cost.js';
import { NouveauCounters } from './nouveau-counters.js';
import { NouveauDmem } from './nouveau-dmem.js';
import {
  nouveauBehaviours,
  nouveauDmemAvailable,
  nouveauSvmAvailable,
  type NouveauOptions,
} from './nouveau-options.js';
import { NouveauSvm } from './nouveau-svm.js';
import type { NvifDevice } from './nvif.js';
import type { NvkmChip } from './nvkm-device.js';
import { nvkmFirmwareLoad } from './nvkm-firmware.js';

/** Where the modelled card sits. */
const PCI_NAME = '0000:01:00.0';

/**
 * One GPU with its driver: `struct nouveau_drm`. Loading it looks for the firmware and sets SVM and device memory
 * up where the chip allows them; it never fails as a whole.
 * @kernel drivers/gpu/drm/nouveau/nouveau_drv.h nouveau_drm (without: display, buffer objects, power
 * management)
 */
export class NouveauDrm {
  /** What of it is state. */
  static readonly state = declareState({
    kernel: 'constant',
    memory: 'constant',
    device: 'constant',
    options: { outside: 'what the driver is loaded with' },
    does: { outside: 'chosen when the driver is loaded' },
    counters: { saved: 'totals, which decide nothing' },
    owner: 'constant',
    missingFirmware: { outside: 'found when the driver is loaded' },
    svm: 'constant',
    dmem: 'constant',
    log: { saved: 'what it said, which decides nothing' },
    channels: 'constant',
    exploration: 'constant',
    lastChannel: 'count',
  });

  readonly kernel: Kernel;
  readonly memory: MemorySystem;
  /** The GPU under it. */
  readonly device: NvifDevice;
  readonly options: NouveauOptions;
  /** What this release's driver does, with what is mended. */
  readonly does: NouveauBehaviours;
  readonly counters = new NouveauCounters();
  /** The drm device as an owner of device memory and of notifier events. */
  readonly owner: number;
  /** Images that are missing: with any, no channel on the graphics engine can be made. */
  readonly missingFirmware: readonly string[];
  /** Undefined where SVM is not offered. */
  readonly svm: NouveauSvm | undefined;
  /** Undefined where device memory cannot be used for SVM. */
  readonly dmem: NouveauDmem | undefined;
  /** Lines of the kernel log, oldest first. */
  readonly log: string[] = [];
  /** Channels that exist. */
  readonly channels: NouveauChannel[] = [];
  /** Given where interleavings are explored. */
  readonly exploration: ClientExploration | undefined;
  private lastChannel = 0;

  constructor(memory: MemorySystem, device: NvifDevice, options: NouveauOptions = {}) {
    const { kernel } = memory;
    this.kernel = kernel;
    this.memory = memory;
    this.device = device;
    this.options = options;
    this.exploration = options.exploration;
    this.does = nouveauBehaviours(kernel, options);
    this.owner = kernel.allocIds(1);
    const firmware = nvkmFirmwareLoad(device.chip, options.firmware ?? (() => true));
    this.missingFirmware = firmware.missing;
    for (const line of firmware.log) this.printk(line);
    this.dmem = nouveauDmemAvailable(device.chip) ? new NouveauDmem(this) : undefined;
    this.svm = nouveauSvmAvailable(device.chip, options).ok ? new NouveauSvm(this) : undefined;
  }

  /** The kernel has called back: its step uses the driver's state. Costs one test where nothing is explored. */
  calledBack(): void {
    if (this.exploration !== undefined) this.kernel.sched.access(this.exploration.object, true);
  }

  /** `task`, which the kernel has called, whose every step uses the driver's state. */
  calledBackTask<T>(task: Task<T>): Task<T> {
    const { exploration, kernel } = this;
    return exploration === undefined ? task : observedTask(kernel.sched, exploration.object, task);
  }

  get chip(): NvkmChip {
    return this.device.chip;
  }

  get cost(): NouveauCost {
    return this.device.cost;
  }

  /** Writes a line to the kernel log, with the device in front. */
  printk(text: string): void {
    this.log.push(`nouveau ${PCI_NAME}: ${text}`);
  }

  /** The channel with this instance; undefined where it is gone. */
  channelOf(inst: number): NouveauChannel | undefined {
    return this.channels.find((channel) => channel.inst === inst);
  }

  /** The number of the next channel. */
  nextChannel(): number {
    return this.lastChannel++;
  }

  /** A sleeping lock of the driver. */
  mutex(cls: string): Mutex {
    return new Mutex(this.kernel.sched, this.kernel.allocIds(1), cls);
  }
}
