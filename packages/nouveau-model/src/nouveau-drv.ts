import { SystemFrames } from '@hmm/device';
import { Gpu, type GpuPreset } from '@hmm/gpu';
import { HmmError, type Kernel, Mutex, type Release } from '@hmm/kernel';
import type { MemorySystem } from '@hmm/mm';
import type { NouveauChannel } from './nouveau-chan.js';
import { nouveauCost, type NouveauCost } from './nouveau-cost.js';
import { NouveauCounters } from './nouveau-counters.js';
import { NouveauDmem } from './nouveau-dmem.js';
import {
  nouveauDmemAvailable,
  nouveauQuirks,
  nouveauSvmAvailable,
  type NouveauOptions,
  type NouveauQuirks,
} from './nouveau-options.js';
import { NouveauSvm } from './nouveau-svm.js';
import { nvkmChipOf, type NvkmChip } from './nvkm-device.js';
import { nvkmFirmwareLoad } from './nvkm-firmware.js';

/** Where the modelled card sits. */
const PCI_NAME = '0000:01:00.0';

/**
 * One GPU with its driver: `struct nouveau_drm`. Loading it looks for the firmware and sets SVM and device memory
 * up where the chip allows them; it never fails as a whole.
 * @kernel drivers/gpu/drm/nouveau/nouveau_drv.h nouveau_drm
 */
export class NouveauDrm {
  readonly kernel: Kernel;
  readonly memory: MemorySystem;
  readonly chip: NvkmChip;
  readonly gpu: Gpu;
  readonly options: NouveauOptions;
  readonly version: Release;
  readonly quirks: NouveauQuirks;
  readonly cost: NouveauCost;
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
  private lastChannel = 0;

  constructor(kernel: Kernel, memory: MemorySystem, preset: GpuPreset, options: NouveauOptions = {}) {
    this.kernel = kernel;
    this.memory = memory;
    const chip = nvkmChipOf(preset.chip, preset.architecture);
    if (chip === undefined) throw new HmmError('NO_CHIP', `nouveau knows no family ${preset.architecture}`);
    this.chip = chip;
    this.options = options;
    this.version = options.kernel ?? kernel.release;
    this.quirks = { ...nouveauQuirks(this.version), ...options.quirks };
    this.cost = nouveauCost(preset);
    const { vramPages } = options;
    this.gpu = new Gpu(kernel, preset, vramPages === undefined ? {} : { memoryPages: vramPages });
    this.gpu.foreign = new SystemFrames(memory);
    this.owner = kernel.allocIds(1);
    const firmware = nvkmFirmwareLoad(this.chip, options.firmware ?? (() => true));
    this.missingFirmware = firmware.missing;
    for (const line of firmware.log) this.printk(line);
    this.dmem = nouveauDmemAvailable(this.chip) ? new NouveauDmem(this) : undefined;
    this.svm = nouveauSvmAvailable(this.chip, options).ok ? new NouveauSvm(this) : undefined;
  }

  /** Writes a line to the kernel log, with the device in front. */
  printk(text: string): void {
    this.log.push(`nouveau ${PCI_NAME}: ${text}`);
  }

  /** The channel with this instance; undefined where it is gone. */
  channelOf(inst: number): NouveauChannel | undefined {
    return this.channels.find((channel) => channel.instance.id === inst);
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
