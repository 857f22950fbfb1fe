import { EINVAL, type Kernel, PAGE_SIZE, SP_PREEMPT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { ClientExploration } from '@hmm/device/internal';
import {
  BrokenRules,
  calledBackTask,
  DIRECT_DMA,
  ENTRY_READ,
  ENTRY_WRITE,
  frameAtomic,
  frameCopy,
  type IbDevice,
  MmputQueue,
  pinnedCopy,
} from '@hmm/ib-core';
import type { MemorySystem } from '@hmm/mm';
import {
  type AtomicTransfer,
  CONNECTX_TIMING,
  IB_WC_LOC_PROT_ERR,
  type NicMemory,
  type NicPort,
  type NicTiming,
  NO_TIMING,
  type PacketMemory,
  type QueuePair,
  type RefusalStatuses,
  TRANSFER_FAULTED,
  type Transfer,
} from '@hmm/rdma-nic';
import { isImplicit, isOdp, type Mlx5Mr, type OdpMr } from './mlx5-mr.js';
import { mlx5RevokeMr } from './odp.js';
import { Mlx5FaultQueue } from './odp-eq.js';
import { type Mlx5Options, MLX5_TRANSPORT } from './options.js';

/** What the specification of InfiniBand has for what memory refused; nobody has recorded an adapter. */
const STATUSES: RefusalStatuses = {
  gather: () => IB_WC_LOC_PROT_ERR,
  scatter: IB_WC_LOC_PROT_ERR,
  receive: IB_WC_LOC_PROT_ERR,
};

/** Packets are in the adapter: nothing of the host's memory is in them. */
const PACKETS: PacketMemory = {
  take: (_header, length) => new Uint8Array(length),
  seal: () => undefined,
  give: () => undefined,
};

/** What the driver has done. */
export interface Mlx5Counted {
  /** Requests that rewrote entries. */
  updates: number;
  /** Events, resumes with and without an error. */
  events: number;
  resumed: number;
  resumedWithError: number;
  /** Answers that the responder is not ready. */
  rnr: number;
}

/** The entry of a page in the adapter's table: flags and frame. */
export interface Translation {
  readonly flags: number;
  readonly pfn: number;
}

const ABSENT: Translation = { flags: 0, pfn: 0 };

/** A ConnectX-class adapter with its driver's records. @kernel drivers/infiniband/hw/mlx5/mlx5_ib.h mlx5_ib_dev */
export class Mlx5Device implements NicPort, NicMemory, IbDevice {
  /** What of it is state. */
  static readonly state = declareState({
    kernel: 'constant',
    system: 'constant',
    options: 'constant',
    timing: 'constant',
    packets: { outside: 'functions' },
    statuses: { outside: 'functions' },
    exits: 'constant',
    broken: 'constant',
    exploration: 'constant',
    dma: { outside: 'functions' },
    odpMkeys: 'constant',
    mkeys: 'constant',
    counted: { saved: 'totals, which decide nothing' },
    counts: { saved: 'totals, which decide nothing' },
    faults: 'constant',
    addressEnd: 'constant',
    dying: 'constant',
    works: 'constant',
    workChannel: 'constant',
    nextKey: 'value',
  });

  readonly kernel: Kernel;
  readonly system: MemorySystem;
  readonly options: Mlx5Options;
  readonly timing: NicTiming;
  readonly packets = PACKETS;
  readonly statuses = STATUSES;
  readonly dma = DIRECT_DMA;
  /** Keys that faults may name. @kernel drivers/infiniband/hw/mlx5/mlx5_ib.h mlx5_ib_dev */
  readonly odpMkeys = new Map<number, Mlx5Mr>();
  /** All keys that the adapter knows. */
  readonly mkeys = new Map<number, Mlx5Mr>();
  readonly counted: Mlx5Counted = { updates: 0, events: 0, resumed: 0, resumedWithError: 0, rnr: 0 };
  readonly exits: MmputQueue;
  readonly broken = new BrokenRules();
  readonly exploration: ClientExploration | undefined;
  readonly counts = { mapped: 0, retries: 0, invalidations: 0 };
  readonly faults: Mlx5FaultQueue;
  /** Byte behind the user half of an address space. */
  readonly addressEnd: number;
  /** Children that have left their parent's array and are not destroyed yet. */
  readonly dying = new Set<Mlx5Mr>();
  private readonly works: (() => Task)[] = [];
  private readonly workChannel: number;
  private nextKey = 1;

  /** @param exploration given where all interleavings are explored, and time is nothing. */
  constructor(system: MemorySystem, options: Mlx5Options = MLX5_TRANSPORT, exploration?: ClientExploration) {
    this.exploration = exploration;
    this.timing = exploration === undefined ? CONNECTX_TIMING : NO_TIMING;
    this.kernel = system.kernel;
    this.exits = new MmputQueue(system.kernel);
    this.system = system;
    this.options = options;
    this.addressEnd = 2 ** (system.tables.levels === 5 ? 56 : 47);
    this.workChannel = system.kernel.allocIds(1);
    this.faults = new Mlx5FaultQueue(this);
  }

  /** Queue pairs reach memory through the adapter itself. */
  get memory(): NicMemory {
    return this;
  }

  /** Hazards of the common layer. */
  get odp(): Mlx5Options['odp'] {
    return this.options.odp;
  }

  /** A key that no region has: the index, and a variant in the low 8 bits. */
  takeKey(): number {
    return this.nextKey++ * 256;
  }

  /** @inheritdoc */
  check(qp: QueuePair, key: number, access: number, addr: number, length: number): number {
    const mr = this.mkeys.get(key);
    if (mr?.pd !== qp.pd || (mr.access & access) !== access) return -EINVAL;
    return addr >= mr.iova && addr + length <= mr.iova + mr.length ? 0 : -EINVAL;
  }

  /** The adapter's own look-up: through the slot of a parent, to the entry of the page. */
  translate(mr: Mlx5Mr, addr: number): Translation {
    const child = isImplicit(mr) ? mr.ksm.get(Math.floor(addr / (this.options.leafPages * PAGE_SIZE))) : mr;
    if (child === undefined || !isOdp(child) || !child.live) return ABSENT;
    const at = child.umem.address + (addr - child.iova);
    const slot = 2 * (Math.floor(at / PAGE_SIZE) - child.umem.startVpn);
    this.kernel.sched.access(child.object, false);
    return { flags: child.mtt[slot] ?? 0, pfn: child.mtt[slot + 1] ?? 0 };
  }

  /** The key whose entry is missing: of an implicit region the leaf's, where its slot names one that faults can name. */
  faultingKey(mr: OdpMr, addr: number): number {
    const leaf = mr.ksm.get(Math.floor(addr / (this.options.leafPages * PAGE_SIZE)));
    return leaf !== undefined && this.odpMkeys.has(leaf.key) ? leaf.key : mr.key;
  }

  /** @inheritdoc */
  *transfer(transfer: Transfer): Task<number> {
    const { qp, key, access, start, offset, bytes, toMemory } = transfer;
    const addr = start + offset;
    if (this.check(qp, key, access, addr, bytes.length) !== 0) return -EINVAL;
    const mr = this.mkeys.get(key);
    if (mr === undefined) return -EINVAL;
    if (!isOdp(mr)) {
      if ('kind' in mr.umem) pinnedCopy(this.system, mr.umem, mr.va, addr - mr.iova, bytes, toMemory);
      return 0;
    }
    while (!this.present(mr, addr, bytes.length, toMemory)) {
      const ret = yield* this.faults.raise(transfer, mr);
      if (ret !== 0) return ret;
      if (transfer.side === 'responder') {
        this.counted.rnr++;
        return TRANSFER_FAULTED;
      }
    }
    this.copy(mr, addr, bytes, toMemory);
    return 0;
  }

  /** @inheritdoc */
  *atomic(transfer: AtomicTransfer): Task<bigint | number> {
    const { qp, key, addr } = transfer;
    const mr = this.mkeys.get(key);
    if (mr === undefined || !isOdp(mr) || addr % 8 !== 0) return -EINVAL;
    if (!this.present(mr, addr, 8, true)) {
      const ret = yield* this.faults.raiseRdma(qp, mr, addr, 8, 8);
      if (ret === 0) this.counted.rnr++;
      return ret === 0 ? TRANSFER_FAULTED : ret;
    }
    const { pfn } = this.translate(mr, addr);
    return frameAtomic(this.system, pfn, addr % PAGE_SIZE, transfer);
  }

  /** Begins a service or a prefetch of a region; `held`, which it holds meanwhile, is the region unless its child was named. */
  useMr(mr: Mlx5Mr, held = mr): void {
    held.usecount++;
    mr.serving++;
  }

  /** Ends what {@link Mlx5Device.useMr} began, as {@link Mlx5Device.drop}. */
  putMr(mr: Mlx5Mr, held = mr): Task | undefined {
    mr.serving--;
    return this.drop(held);
  }

  /** Drops a use of a region, and wakes who waits for the last; a task where others may come in between. */
  drop(mr: Mlx5Mr): Task | undefined {
    const { sched } = this.kernel;
    mr.usecount--;
    sched.access(mr.object, true);
    if (mr.usecount > 0) return undefined;
    if (this.odp.lateWake && sched.exploring) return this.wakeLate(mr);
    this.wakeWaiter(mr);
    return undefined;
  }

  private *wakeLate(mr: Mlx5Mr): Task {
    yield SP_PREEMPT;
    this.wakeWaiter(mr);
  }

  private wakeWaiter(mr: Mlx5Mr): void {
    const { sched } = this.kernel;
    if (mr.freed) this.broken.tell('OI12', 'a waiter is woken in a region that it has freed');
    sched.wake(mr.object);
  }

  /** Waits until nobody uses a region. */
  *waitUnused(mr: Mlx5Mr): Task {
    while (mr.usecount > 0) yield this.kernel.sched.waitFor(mr.object);
  }

  /** Deregisters a child. */
  *destroyChild(child: Mlx5Mr): Task {
    this.odpMkeys.delete(child.key);
    yield* this.waitUnused(child);
    if (isOdp(child)) yield* mlx5RevokeMr(this, child);
    child.freed = true;
  }

  /** Queues a work that a callback must not do. */
  queueWork(work: () => Task): void {
    const { sched } = this.kernel;
    this.works.push(work);
    sched.access(this.workChannel, true);
    sched.wake(this.workChannel);
  }

  /** The work queue, as an agent of its own: works one after the other. */
  *worker(): Task {
    for (;;) {
      const { sched } = this.kernel;
      sched.access(this.workChannel, this.works.length > 0);
      const work = this.works.shift();
      if (work === undefined) yield sched.waitFor(this.workChannel);
      else yield* calledBackTask(this, work());
    }
  }

  private present(mr: Mlx5Mr, addr: number, length: number, write: boolean): boolean {
    const want = write ? ENTRY_READ | ENTRY_WRITE : ENTRY_READ;
    for (let at = addr - (addr % PAGE_SIZE); at < addr + length; at += PAGE_SIZE)
      if ((this.translate(mr, Math.max(at, addr)).flags & want) !== want) return false;
    return true;
  }

  private copy(mr: Mlx5Mr, addr: number, payload: Uint8Array, toMemory: boolean): void {
    for (let done = 0; done < payload.length;) {
      const at = addr + done;
      const part = payload.subarray(done, done + PAGE_SIZE - (at % PAGE_SIZE));
      frameCopy(this.system, this.translate(mr, at).pfn, at % PAGE_SIZE, part, toMemory);
      done += part.length;
    }
  }
}
