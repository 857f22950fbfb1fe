import type { ClientFactory, DriverRules, DriverSteps } from '@hmm/device';
import type { ClientExploration } from '@hmm/device/internal';
import {
  type AdviseSegment,
  type BrokenNow,
  type EntryWindow,
  RdmaClient,
  type RdmaDriver,
  type RegionTable,
  type RegisterRequest,
} from '@hmm/ib-core';
import { ETIMEDOUT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { type QueuePair, RNR_RETRY_FOREVER, rnrTimerNs } from '@hmm/rdma-nic';
import { Mlx5Device } from './mlx5-device.js';
import { mlx5BrokenNow } from './mlx5-invariants.js';
import { isImplicit, isOdp, type Mlx5Mr, tableOf } from './mlx5-mr.js';
import { mlx5IbAdviseMr, mlx5IbDeregMr, mlx5IbRegUserMr, mlx5RegBuffer } from './mr.js';
import { MLX5_7_3, MLX5_MEMORY, MLX5_TRANSPORT, type Mlx5Options, SMALL_LEAF_PAGES } from './options.js';
import { MLX5_NAMING } from './mlx5-naming.js';

/** An mlx5 adapter as the verbs of a process see it. */
export class Mlx5Driver extends Mlx5Device implements RdmaDriver<Mlx5Mr> {
  /** What of it is state. */
  static override readonly state = declareState({
    marksWritten: 'constant',
  });

  /** A region's pages are dirty when it loses them. */
  readonly marksWritten = false;

  /** @inheritdoc */
  *regUserMr(mm: MmStruct, pd: number, request: RegisterRequest): Task<Mlx5Mr | number> {
    return yield* mlx5IbRegUserMr(this, mm, pd, request);
  }

  /** @inheritdoc */
  regBuffer(pd: number, access: number, bytes: Uint8Array): Mlx5Mr {
    return mlx5RegBuffer(this, pd, access, bytes);
  }

  /** @inheritdoc */
  *deregMr(mr: Mlx5Mr): Task {
    yield* mlx5IbDeregMr(this, mr);
  }

  /** @inheritdoc */
  *adviseMr(pd: number, advice: number, segments: readonly AdviseSegment[]): Task<number> {
    return yield* mlx5IbAdviseMr(this, pd, advice, segments);
  }

  /** The adapter's own table; of an implicit region the leaf that its slot names. */
  window(mr: Mlx5Mr, vpn: number): EntryWindow | undefined {
    const child = isImplicit(mr) ? mr.ksm.get(Math.floor(vpn / this.options.leafPages)) : mr;
    if (child === undefined || !isOdp(child) || !child.live) return undefined;
    return { entries: child.mtt, first: child.umem.startVpn, pages: child.umem.pages };
  }

  /** @inheritdoc */
  *tables(): Iterable<RegionTable> {
    for (const mr of this.mkeys.values()) {
      if (!isOdp(mr)) continue;
      const children = [...mr.implicitChildren.values(), ...this.dying];
      for (const each of mr.umem.isImplicitOdp ? children : [mr])
        if (isOdp(each) && (each === mr || each.parent === mr)) yield tableOf(each);
    }
  }

  /** @inheritdoc */
  brokenNow(atRest: boolean): readonly BrokenNow[] {
    return mlx5BrokenNow(this, atRest);
  }

  /**
   * The responder answers that it is not ready, and the fault is served meanwhile; the peer's request comes again after each
   * time that it was asked to wait.
   */
  *serveAbsent(qp: QueuePair, mr: Mlx5Mr, addr: number, length: number): Task<number> {
    if (!isOdp(mr)) return 0;
    const { rnrRetry, minRnrTimer } = qp.attributes;
    const wait = rnrTimerNs(minRnrTimer);
    const { sched } = this.kernel;
    const start = sched.now;
    if (rnrRetry === 0) return -ETIMEDOUT;
    const ret = yield* this.faults.raiseRdma(qp, mr, addr, length, length);
    if (ret !== 0) return ret;
    const rounds = Math.max(1, Math.ceil((sched.now - start) / wait));
    this.counted.rnr += rounds;
    if (rnrRetry !== RNR_RETRY_FOREVER && rounds > rnrRetry) return -ETIMEDOUT;
    const ns = start + rounds * wait - sched.now;
    if (!sched.delayFast(ns)) yield* sched.delay(ns);
    return 0;
  }
}

const RULES: DriverRules = {
  gpuFault:
    'the adapter reports the access, the driver faults the page in and rewrites its table; the peer tries again after a timer; nothing migrates (mlx5_ib_pfault).',
  firstTouch:
    'a region that may be written has its pages faulted for writing, even for a read: a new page each (pagefault_real_mr).',
  cpuFault: 'there is no device memory: the CPU and the adapter use the same page.',
  granularity:
    'a fault covers the rest of the access; entries are rewritten in groups of eight (mlx5r_umr_update_xlt).',
  sharing:
    'an invalidation zaps the groups of its range and waits for the adapter; neighbours in the group fault again (mlx5_ib_invalidate_range).',
  oversubscription:
    'there is no device memory to run out of; pages are swapped as any other, as none is pinned.',
  atomics: 'eight bytes, in the adapter; with the CPU only one after the other.',
  fork: 'the fork takes the entries away; the adapter stays with the parent, and its next access there breaks the sharing.',
  hints: 'advise_mr brings pages in, for reading, for writing, or those that are present; nothing moves.',
  badAddress: 'the resume carries an error: the request completes with REM_ACCESS_ERR, the process goes on.',
};

const STEPS: DriverSteps = {
  deviceFault: 'mlx5_ib_eq_pf_process',
  cpuFault: 'there is no device memory',
  batch: 'mlx5_ib_pfault: one work for each event',
  migration: 'nothing migrates to an adapter',
  mapping: 'pagefault_real_mr: ib_umem_odp_map_dma_and_lock, then mlx5r_umr_update_xlt',
  retry: 'mmu_interval_read_retry in ib_umem_odp_map_dma_and_lock',
  replay: 'mlx5_ib_page_fault_resume',
  resolving: ['update_xlt', 'map_dma_and_lock'],
};

/** An mlx5 client. */
export class Mlx5Client extends RdmaClient<Mlx5Mr> {
  /** What of it is state. */
  static override readonly state = declareState({
    device: 'constant',
  });

  /** The adapter, for callers that look inside. */
  readonly device: Mlx5Driver;

  /** @param exploration given where all interleavings are explored. */
  constructor(
    system: MemorySystem,
    adapter = 'connectx-6',
    options: Mlx5Options = MLX5_TRANSPORT,
    exploration?: ClientExploration,
  ) {
    const driver = new Mlx5Driver(system, options, exploration);
    super({
      name: 'mlx5',
      adapter,
      driver,
      implicit: true,
      attributes: {},
      readOnlyRefusal:
        'every page of a region that may be written is faulted for writing (pagefault_real_mr)',
      workers: () => [{ name: 'mlx5 work queue', task: driver.worker() }],
      log: [],
      counted: () => ({ replays: driver.counted.resumed }),
      counts: driver.counts,
    });
    this.device = driver;
  }
}

/** Adapters, and how they report faults. */
const ADAPTERS = new Map([
  ['connectx-6', MLX5_TRANSPORT],
  ['connectx-4', MLX5_TRANSPORT],
  ['connectx-7', MLX5_MEMORY],
]);

/** How an application makes this client. */
export function mlx5Factory(): ClientFactory<Mlx5Client> {
  return {
    name: 'mlx5',
    title: 'Mellanox mlx5',
    gpus: [...ADAPTERS.keys()],
    settings: {
      scheme: 'transport or memory: how the adapter reports faults',
      hazards: '1: with the hazards seen in Linux 7.3',
    },
    rules: RULES,
    steps: STEPS,
    naming: MLX5_NAMING,
    create({ memory, exploration }, gpu, settings) {
      const adapter = ADAPTERS.get(gpu);
      if (adapter === undefined) return { ok: false, message: `no mlx5 adapter is called ${gpu}` };
      const scheme = settings.get('scheme') ?? adapter.scheme;
      if (scheme !== 'transport' && scheme !== 'memory')
        return { ok: false, message: `scheme is transport or memory, not ${scheme}` };
      const hazards = settings.get('hazards') ?? '0';
      if (hazards !== '0' && hazards !== '1')
        return { ok: false, message: `hazards is 0 or 1, not ${hazards}` };
      const { odp } = hazards === '1' ? MLX5_7_3 : adapter;
      const leafPages = exploration === undefined ? adapter.leafPages : SMALL_LEAF_PAGES;
      const options: Mlx5Options = { ...adapter, scheme, odp, leafPages };
      return { ok: true, client: new Mlx5Client(memory, gpu, options, exploration) };
    },
  };
}
