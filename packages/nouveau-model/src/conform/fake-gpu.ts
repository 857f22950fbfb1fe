import { FaultBuffer, type Figure, figure } from '@hmm/gpu';
import { HPAGE_PMD_NR, HmmError } from '@hmm/kernel';
import type { MemorySystem } from '@hmm/mm';
import type { NouveauBehaviours } from '../nouveau-behaviours.js';
import type { NouveauCost } from '../nouveau-cost.js';
import { dmemChunkNpages } from '../nouveau-dmem-chunk.js';
import type { NvifDevice, NvifVmm, Unmanaged } from '../nvif.js';
import { nvkmChip, type NvkmChip } from '../nvkm-device.js';
import type { FakeEvents } from './fake-events.js';
import { FakeVmm } from './fake-vmm.js';

/** Entries of the ring of faults. */
const RING_ENTRIES = 256;
/** Instance pointers of the clients. */
const FIRST_INSTANCE = 0x100000;
const INSTANCE_STEP = 0x1000;

/** No time passes but in an atomic that is tried again: what the recorder's limit of 100 ms leaves room for is a few tries. */
function noCost(): NouveauCost {
  const none: Figure = figure(0, 'estimate', 'the recordings tell no times');
  return {
    interrupt: none,
    record: none,
    rangeFault: none,
    exclusive: figure(100_000_000, 'estimate', 'one of some ten tries within a second'),
    pfnmap: none,
    pfnclr: none,
    command: none,
    migratePage: none,
    fence: none,
  };
}

/** What a fake GPU is made with. */
export interface FakeGpuOptions {
  readonly memory: MemorySystem;
  readonly events: FakeEvents;
  readonly does: NouveauBehaviours;
  /** Chunks that the card has room for. */
  readonly chunks: number;
  /** Whether the driver's own page-table code writes the tables. */
  readonly nvkm: boolean;
}

/** A copy that was pushed and waits for the fence. */
type Pushed = () => void;

/**
 * The GPU under the recorded driver: a table for each client, a ring of faults, device memory in chunks and a copy engine, each
 * a plain one that notes what it is asked for.
 */
export class FakeGpu implements NvifDevice {
  readonly chip: NvkmChip;
  readonly cost = noCost();
  readonly faultBuffer = new FaultBuffer(RING_ENTRIES);
  /** Address spaces by client. */
  readonly vmms: FakeVmm[] = [];
  /** Replays so far. */
  replays = 0;
  /** Items of the access under way that were cancelled. */
  readonly cancelled = new Set<number>();
  /** The client that the next address space is for. */
  nextClient = 0;
  /** The page of device memory behind a frame: the driver knows. */
  vramPage: (pfn: number) => number = () => -1;
  private readonly options: FakeGpuOptions;
  private readonly pushed: Pushed[] = [];
  private usedChunks = 0;

  constructor(options: FakeGpuOptions) {
    const chip = nvkmChip('gp100');
    if (chip === undefined) throw new HmmError('NO_CHIP', 'gp100 is missing');
    this.chip = chip;
    this.options = options;
  }

  /** The instance pointer of a client's channel. */
  static instance(client: number): number {
    return FIRST_INSTANCE + client * INSTANCE_STEP;
  }

  /** The replay runs the work item itself. */
  onFaultsPending(): void {
    return;
  }

  vmmNew(unmanaged: Unmanaged): NvifVmm {
    const { events, does, nvkm } = this.options;
    const client = this.nextClient;
    const vmm = new FakeVmm(client, unmanaged, nvkm ? does : undefined, events, (pfn) => this.vramPage(pfn));
    this.vmms[client] = vmm;
    return vmm;
  }

  channelNew(): number {
    return FakeGpu.instance(this.nextClient);
  }

  channelDel(): void {
    return;
  }

  faultReplay(): void {
    this.replays++;
    this.options.events.note('replay');
  }

  faultCancel(inst: number, client: number): void {
    this.cancelled.add(client);
    this.options.events.note('cancel', (inst - FIRST_INSTANCE) / INSTANCE_STEP, client);
  }

  vramNew(): number {
    const { events, chunks, does } = this.options;
    if (this.usedChunks === chunks) {
      events.note('nochunk');
      return -1;
    }
    events.note('chunk', this.usedChunks);
    return this.usedChunks++ * dmemChunkNpages({ does, exploration: undefined });
  }

  vramDel(): void {
    this.usedChunks--;
  }

  copyIn(vram: number, host: number, pages: number): number {
    return this.push('in', vram, pages, vram, host);
  }

  copyOut(host: number, vram: number, pages: number): number {
    return this.push('out', vram, pages, host, vram);
  }

  clear(vram: number, pages: number): number {
    const { memory, events } = this.options;
    this.pushed.push(() => {
      events.note('clear', this.vramPage(vram), ...count(pages));
      for (let i = 0; i < pages; i++) memory.data.fillPage(vram + i, 0);
    });
    return 0;
  }

  fence(): void {
    for (const execute of this.pushed.splice(0)) execute();
  }

  private push(direction: string, vram: number, pages: number, to: number, from: number): number {
    const { memory, events } = this.options;
    this.pushed.push(() => {
      events.note('copy', direction, this.vramPage(vram), ...count(pages));
      for (let i = 0; i < pages; i++) memory.data.copyPage(to + i, from + i);
    });
    return 0;
  }
}

/** The number of pages, left out for one. */
function count(pages: number): number[] {
  return pages === HPAGE_PMD_NR ? [pages] : [];
}
