import type { FrameContents } from '@hmm/device';
import { type Kernel, Prng, SP_PREEMPT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { AccessCounters } from './access-counters.js';
import { GPU_PTE_FOREIGN, GPU_PTE_PEER, GPU_PTE_SYSMEM, peerOfPte } from './access.js';
import type { GpuPreset } from './capability.js';
import type { GpuChannel, NonReplayableFault } from './channel.js';
import { CopyEngine } from './copy-engine.js';
import { FaultBuffer } from './fault-buffer.js';
import { GpuInstance } from './gpu-instance.js';
import type { GpuAccesses, GpuKernel } from './gpu-kernel.js';
import { BulkKernel } from './bulk-kernel.js';
import { GridKernel } from './grid-kernel.js';
import { PhysicalMemory } from './memory.js';
import { GpuPageTable } from './page-table.js';
import { ParallelKernel } from './parallel-kernel.js';
import { SerialKernel } from './serial-kernel.js';
import { TLB_BATCH } from './tlb.js';
import type { PeerPath } from './topology.js';
import { WarpKernel } from './warp-kernel.js';

/** The driver's side of the fault interrupt. */
export interface GpuFaultHandler {
  /**
   * Faults wait in the buffer. They are served up to a replay, or until nothing more can be done for now.
   * @returns what has to be waited for until then, as a task; undefined where it is done.
   */
  faultsPending(gpu: Gpu): Task | undefined;
  /** Notifications of the access counters wait; the kernels go on meanwhile, or after it. */
  notificationsPending?(gpu: Gpu): Task;
  /** Faults that cannot be replayed wait in the shadow buffer: clears each, or kills its channel. */
  nonReplayableFaultsPending?(gpu: Gpu): Task;
}

/** Settings of a {@link Gpu} that differ from its preset's. */
export interface GpuOptions {
  /** Device memory, pages. */
  readonly memoryPages?: number;
  /** Tables of each page table. */
  readonly maxTables?: number;
  /** Contents of host memory, where several GPUs share it. */
  readonly sysmem?: PhysicalMemory;
  /** Seed of the choices that hardware makes by chance in parallel kernels. */
  readonly seed?: number;
}

/**
 * A modelled GPU: memory, page tables, fault buffer, copy engine and running kernels. It knows no driver: one
 * registers itself as {@link Gpu.handler} and is called when faults wait.
 */
export class Gpu {
  /** What of it is state. */
  static readonly state = declareState({
    kernel: 'constant',
    preset: { outside: 'what the card is' },
    memoryPages: 'constant',
    vidmem: 'constant',
    sysmem: 'constant',
    neighbours: 'constant',
    peers: 'constant',
    foreign: 'value',
    faultBuffer: 'constant',
    accessCounters: 'constant',
    nonReplayableFaults: 'constant',
    copyEngine: 'constant',
    prng: 'constant',
    handler: 'value',
    replays: { saved: 'a running kernel compares it, and none runs where states are compared' },
    remoteAccesses: { saved: 'a total, which decides nothing' },
    slice: 'value',
    prefetchFaults: 'value',
    runningNs: { saved: 'a total, which decides nothing' },
    stalledNs: { saved: 'a total, which decides nothing' },
    residentNs: { saved: 'a total, which decides nothing' },
    instances: 'constant',
    running: 'constant',
    replayChannel: 'constant',
    maxTables: 'constant',
  });

  readonly kernel: Kernel;
  readonly preset: GpuPreset;
  /** Device memory, pages. */
  readonly memoryPages: number;
  /** Contents of device memory, by frame. */
  readonly vidmem: FrameContents & PhysicalMemory;
  /** Contents of the host frames that PTEs with {@link GPU_PTE_SYSMEM} name. */
  readonly sysmem: PhysicalMemory;
  /** All GPUs of the machine by number, this one among them. */
  readonly neighbours: Gpu[] = [this];
  /** Contents that PTEs with {@link GPU_PTE_FOREIGN} name: the frames of another memory model. */
  foreign: FrameContents | undefined;
  readonly faultBuffer: FaultBuffer;
  readonly accessCounters = new AccessCounters();
  /** The driver's copy of the buffer of faults that cannot be replayed, oldest first. */
  readonly nonReplayableFaults: NonReplayableFault[] = [];
  readonly copyEngine: CopyEngine;
  /** Chance in parallel kernels. */
  readonly prng: Prng;
  /** Who serves faults. */
  handler: GpuFaultHandler | undefined;
  /** Replays so far. */
  replays = 0;
  /** Accesses that went across the link. */
  remoteAccesses = 0;
  /** Accesses that a thread does at most between two scheduling points: fewer make races with the CPU finer. */
  slice = TLB_BATCH;
  /** Whether prefetch instructions raise faults at present. */
  prefetchFaults: boolean;
  /** ns that kernels ran, and ns that they were stalled. */
  runningNs = 0;
  stalledNs = 0;
  /** ns that the kernels so far would have run with all their pages in device memory. */
  residentNs = 0;
  private readonly instances: GpuInstance[] = [];
  private readonly running: GpuKernel[] = [];
  private readonly peers: (PeerPath | undefined)[] = [];
  private readonly replayChannel: number;
  private readonly maxTables: number | undefined;

  constructor(kernel: Kernel, preset: GpuPreset, options: GpuOptions = {}) {
    this.kernel = kernel;
    this.preset = preset;
    this.memoryPages = options.memoryPages ?? preset.memory.value / 4096;
    this.vidmem = new PhysicalMemory();
    this.sysmem = options.sysmem ?? new PhysicalMemory();
    this.faultBuffer = new FaultBuffer(Math.max(2, preset.capability.faultBufferEntries.value));
    this.copyEngine = new CopyEngine(preset.link);
    this.prng = new Prng(options.seed ?? 2);
    this.prefetchFaults = preset.capability.prefetchFaults;
    this.replayChannel = kernel.allocIds(1);
    this.maxTables = options.maxTables;
  }

  /** Makes an instance, with an address space of its own unless it is to share `table`. */
  openInstance(table = new GpuPageTable(this.maxTables)): GpuInstance {
    const instance = new GpuInstance(this.instances.length, table);
    this.instances.push(instance);
    return instance;
  }

  /** The instance with id `id`; undefined for an id that none has. */
  instance(id: number): GpuInstance | undefined {
    return this.instances[id];
  }

  /** The contents that a leaf with `flags` points into. */
  memoryOf(flags: number): FrameContents {
    if ((flags & GPU_PTE_FOREIGN) !== 0 && this.foreign !== undefined) return this.foreign;
    if ((flags & GPU_PTE_PEER) !== 0) return this.neighbours[peerOfPte(flags)]?.vidmem ?? this.vidmem;
    return (flags & GPU_PTE_SYSMEM) !== 0 ? this.sysmem : this.vidmem;
  }

  /** Makes `cards` the GPUs of the machine, and `paths` what goes from this one to each of them, by number. */
  connect(cards: readonly Gpu[], paths: readonly (PeerPath | undefined)[]): void {
    this.neighbours.splice(0, this.neighbours.length, ...cards);
    this.peers.splice(0, this.peers.length, ...paths);
  }

  /** The way to another GPU of the machine; undefined where data goes through host memory. */
  peerPath(other: Gpu): PeerPath | undefined {
    return this.peers[this.neighbours.indexOf(other)];
  }

  /**
   * Accesses that a thread does at most before it looks up: {@link Gpu.slice}, or fewer where access counters could notify
   * within it.
   */
  get accessesAtOnce(): number {
    const { threshold } = this.accessCounters;
    return threshold === 0 ? this.slice : Math.min(this.slice, threshold);
  }

  /** A kernel, ready for {@link Gpu.run}. */
  launch(instance: GpuInstance, accesses: GpuAccesses): GpuKernel {
    const kernel = this.makeKernel(instance, accesses);
    this.running.push(kernel);
    return kernel;
  }

  /**
   * Runs a kernel to its end on the virtual clock, calling the handler whenever all its threads are stalled. Ends
   * early when the kernel is cancelled or its instance dies.
   */
  *run(kernel: GpuKernel): Task {
    const { sched } = this.kernel;
    for (;;) {
      const ns = kernel.carriedNs + this.step(kernel);
      kernel.carriedNs = 0;
      this.runningNs += ns;
      if (ns > 0 && !sched.delayFast(ns)) yield* sched.delay(ns);
      if (this.accessCounters.notifications.length > 0) yield* this.notify();
      if (this.over(kernel)) break;
      if (!kernel.stalled) continue;
      const stalledAt = sched.now;
      const seen = this.replays;
      if (sched.exploring) yield SP_PREEMPT;
      while (this.replays === seen && !this.over(kernel)) {
        const { handler } = this;
        const waiting = handler === undefined ? sched.block(this.replayChannel) : handler.faultsPending(this);
        if (waiting !== undefined) yield* waiting;
      }
      this.stalledNs += sched.now - stalledAt;
      if (this.over(kernel)) break;
    }
    this.residentNs += kernel.residentTime();
    this.running.splice(this.running.indexOf(kernel), 1);
  }

  /** Driver side: all stalled accesses try again. */
  replay(): void {
    this.replays++;
    this.faultBuffer.retract(this.kernel.sched.now);
    for (const kernel of this.running) if (kernel.retriesAtReplay) this.retry(kernel);
    this.kernel.sched.wake(this.replayChannel);
  }

  /**
   * Driver side: ends the accesses of `instance` that wait for page `vpn`. `mode` is `GPU_CANCEL_*`. GPUs without
   * precise cancel hit every access that came through the same uTLB: for one thread that is the same.
   * @returns how many kernels were cancelled.
   */
  cancel(instance: number, vpn: number, mode: number): number {
    let count = 0;
    for (const kernel of this.running) {
      if (kernel.instance.id === instance && kernel.cancel(vpn, mode)) count++;
    }
    return count;
  }

  /**
   * Driver side, for GPUs without precise cancel: ends every access that has come through `utlb` since the last replay,
   * whoever it belongs to; `vpn` is the page it is for.
   * @returns how many kernels were cancelled.
   */
  cancelUtlb(utlb: number, vpn: number): number {
    let count = 0;
    for (const kernel of this.running) if (kernel.cancelUtlb(utlb, vpn)) count++;
    return count;
  }

  /**
   * Driver side, after a replay: has every stalled kernel try again at once, so that what still faults is in the buffer when
   * this returns. The time that it takes is booked when the kernel runs on.
   */
  retryStalled(): void {
    for (const kernel of this.running) this.retry(kernel);
  }

  /**
   * An access of an engine whose faults cannot be replayed. @returns false when the channel was killed, by the driver or because
   * no driver serves such faults on this GPU.
   */
  *channelAccess(channel: GpuChannel, vpn: number, access: number): Task<boolean> {
    while (!channel.killed && !channel.reaches(vpn, access)) {
      const { handler } = this;
      if (!this.preset.capability.nonReplayableFaults || handler?.nonReplayableFaultsPending === undefined) {
        channel.killed = true;
        break;
      }
      this.nonReplayableFaults.push(channel.fault(vpn, access));
      while (channel.faulted) yield* handler.nonReplayableFaultsPending(this);
    }
    return !channel.killed;
  }

  /** Driver side: an instance ends; its kernels stop, its faults are stale from now on. */
  closeInstance(instance: GpuInstance): void {
    instance.dead = true;
    this.replay();
  }

  /** The interrupt of the access counters. Nobody waits for its end but this thread of execution. */
  private *notify(): Task {
    if (this.handler?.notificationsPending !== undefined) yield* this.handler.notificationsPending(this);
  }

  private retry(kernel: GpuKernel): void {
    if (kernel.stalled && !this.over(kernel)) kernel.carriedNs += this.step(kernel);
  }

  private step(kernel: GpuKernel): number {
    if (kernel.tried) return 0;
    kernel.forgetUtlbs();
    return kernel.advance();
  }

  private over(kernel: GpuKernel): boolean {
    return kernel.finished || kernel.cancelled >= 0 || kernel.instance.dead;
  }

  private makeKernel(instance: GpuInstance, accesses: GpuAccesses): GpuKernel {
    if (accesses.bulk !== undefined) return new BulkKernel(this, instance, accesses);
    switch (accesses.shape) {
      case 'serial':
        return new SerialKernel(this, instance, accesses);
      case 'parallel':
        return new ParallelKernel(this, instance, accesses);
      case 'stream':
        return new GridKernel(this, instance, accesses);
      case 'warps':
        return new WarpKernel(this, instance, accesses);
    }
  }
}
