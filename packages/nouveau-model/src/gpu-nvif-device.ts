import { SystemFrames } from '@hmm/device';
import { Gpu, GPU_CANCEL_ALL, type GpuPreset } from '@hmm/gpu';
import { HmmError, type Kernel, PAGE_SIZE, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MemorySystem } from '@hmm/mm';
import type { NouveauBehaviours } from './nouveau-behaviours.js';
import { NOUVEAU_NO_COST, nouveauCost, type NouveauCost } from './nouveau-cost.js';
import type { NouveauOptions } from './nouveau-options.js';
import type { NvifDevice, NvifVmm, Unmanaged } from './nvif.js';
import { nvkmChipOf, type NvkmChip } from './nvkm-device.js';
import { NvkmVmm } from './nvkm-vmm.js';

/** Tables of an address space where interleavings are explored, so that one is made and set back soon. */
const SMALL_TABLES = 96;

/** The modelled GPU of `@hmm/gpu` as nouveau reaches it, with nvkm's address spaces on it. */
export class GpuNvifDevice implements NvifDevice {
  /** What of it is state. */
  static readonly state = declareState({
    gpu: 'constant',
    chip: { outside: 'what the card is' },
    cost: { outside: 'what the card is' },
    memory: 'constant',
    does: { outside: 'chosen when the driver is loaded' },
    timed: 'constant',
    vramUsed: 'count',
    vramLimit: 'count',
  });

  readonly gpu: Gpu;
  readonly chip: NvkmChip;
  readonly cost: NouveauCost;
  private readonly memory: MemorySystem;
  private readonly does: NouveauBehaviours;
  /** Whether what it does takes time: not where interleavings are explored. */
  private readonly timed: boolean;
  /** Device memory that buffer objects have, and may have, pages. */
  private vramUsed = 0;
  private vramLimit: number;

  /** @param options of them the device memory for buffer objects, and whether time is nothing. */
  constructor(
    kernel: Kernel,
    memory: MemorySystem,
    preset: GpuPreset,
    does: NouveauBehaviours,
    { vramPages, exploration }: NouveauOptions = {},
  ) {
    this.timed = exploration === undefined;
    this.memory = memory;
    this.does = does;
    const chip = nvkmChipOf(preset.chip, preset.architecture);
    if (chip === undefined) throw new HmmError('NO_CHIP', `nouveau knows no family ${preset.architecture}`);
    this.chip = chip;
    this.cost = this.timed ? nouveauCost(preset) : NOUVEAU_NO_COST;
    this.gpu = new Gpu(kernel, preset, {
      ...(vramPages === undefined ? {} : { memoryPages: vramPages }),
      maxTables: this.timed ? memory.config.maxTables : SMALL_TABLES,
    });
    this.gpu.foreign = new SystemFrames(memory);
    this.vramLimit = this.gpu.memoryPages;
  }

  get faultBuffer(): Gpu['faultBuffer'] {
    return this.gpu.faultBuffer;
  }

  onFaultsPending(handler: () => Task | undefined): void {
    this.gpu.handler = { faultsPending: handler };
  }

  vmmNew(unmanaged: Unmanaged): NvifVmm {
    return new NvkmVmm(this.gpu.openInstance().table, unmanaged, this.does);
  }

  channelNew(vmm: NvifVmm | undefined): number {
    return this.gpu.openInstance(vmm instanceof NvkmVmm ? vmm.table : undefined).id;
  }

  channelDel(inst: number): void {
    const instance = this.gpu.instance(inst);
    if (instance?.dead === false) this.gpu.closeInstance(instance);
  }

  faultReplay(): void {
    this.gpu.replay();
  }

  faultCancel(inst: number, _client: number, vpn: number): void {
    this.gpu.cancel(inst, vpn, GPU_CANCEL_ALL);
  }

  vramNew(pages: number): number {
    if (this.vramUsed + pages > this.vramLimit) return -1;
    this.vramUsed += pages;
    return this.vramUsed - pages;
  }

  vramDel(_first: number, pages: number): void {
    this.vramUsed -= pages;
  }

  /** Leaves no more than `pages` pages for buffer objects from now on; false when more are in use. */
  limitVram(pages: number): boolean {
    if (this.vramUsed > pages) return false;
    this.vramLimit = pages;
    return true;
  }

  copyIn(vram: number, host: number, pages: number): number {
    return this.copy(vram, host, pages, true);
  }

  copyOut(host: number, vram: number, pages: number): number {
    return this.copy(host, vram, pages, false);
  }

  clear(vram: number, pages: number): number {
    for (let part = 0; part < pages; part++) this.memory.data.fillPage(vram + part, 0);
    return 0;
  }

  /** Copies were made when they were pushed: nothing can look between that and the fence. */
  fence(): void {
    return;
  }

  /** The engine may fail without saying so. */
  private copy(to: number, from: number, pages: number, toVram: boolean): number {
    const { data, kernel } = this.memory;
    if (toVram || !kernel.shouldFail('copy_engine_silent'))
      for (let part = 0; part < pages; part++) data.copyPage(to + part, from + part);
    const ns = this.gpu.copyEngine.book(pages * PAGE_SIZE, toVram);
    return this.timed ? ns : 0;
  }
}
