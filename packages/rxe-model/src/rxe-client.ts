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
import type { Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import type { QueuePair } from '@hmm/rdma-nic';
import { type RxeOptions, RXE_7_3, RXE_INTENDED } from './options.js';
import { RxeDevice } from './rxe-device.js';
import { isOdp, type RxeMr } from './rxe-mr.js';
import { rxeOdpMapRangeAndLock, tableOf } from './rxe-odp.js';
import { rxeAdviseMr, rxeDeregMr, rxeRegBuffer, rxeRegUserMr } from './rxe-verbs.js';
import { RXE_NAMING } from './rxe-naming.js';

/** Soft-RoCE as the verbs of a process see it. */
export class RxeDriver extends RxeDevice implements RdmaDriver<RxeMr> {
  /** What of it is state. */
  static override readonly state = declareState({});

  /** @inheritdoc */
  get marksWritten(): boolean {
    return !this.options.neverDirty;
  }

  /** @inheritdoc */
  *regUserMr(mm: MmStruct, pd: number, request: RegisterRequest): Task<RxeMr | number> {
    return yield* rxeRegUserMr(this, mm, pd, request);
  }

  /** @inheritdoc */
  regBuffer(pd: number, access: number, bytes: Uint8Array): RxeMr {
    return rxeRegBuffer(this, pd, access, bytes);
  }

  /** @inheritdoc */
  *deregMr(mr: RxeMr): Task {
    yield* rxeDeregMr(this, mr);
  }

  /** @inheritdoc */
  *adviseMr(pd: number, advice: number, segments: readonly AdviseSegment[]): Task<number> {
    return yield* rxeAdviseMr(this, pd, advice, segments);
  }

  /** The list of frames is the table. */
  window({ umem }: RxeMr): EntryWindow | undefined {
    if ('kind' in umem) return undefined;
    return { entries: umem.map.pfnList, first: umem.startVpn, pages: umem.pages };
  }

  /** @inheritdoc */
  *tables(): Iterable<RegionTable> {
    for (const mr of this.mrs.values()) if (isOdp(mr)) yield tableOf(mr.umem);
  }

  /** It has no invariants beside those of its regions. */
  brokenNow(): readonly BrokenNow[] {
    return [];
  }

  /** A fault is a call, in the work item that copies. */
  *serveAbsent(_qp: QueuePair, mr: RxeMr, addr: number, length: number, write: boolean): Task<number> {
    if (!isOdp(mr)) return 0;
    const ret = yield* rxeOdpMapRangeAndLock(mr.umem, addr, length, write);
    if (ret !== 0) return ret;
    mr.umem.umemMutex.unlock();
    const { sched } = this.kernel;
    const ns = this.timing.faultNs.value;
    if (!sched.delayFast(ns)) yield* sched.delay(ns);
    return 0;
  }
}

const RULES: DriverRules = {
  gpuFault:
    'a packet that meets an absent page faults it in, in the work item that copies it; nothing migrates (rxe_odp_map_range_and_lock).',
  firstTouch:
    'a read maps the zero page, a write a new page: the request goes by the access (hmm_range_fault).',
  cpuFault: 'there is no device memory: the CPU and the adapter use the same page.',
  granularity: 'a fault covers the pages of one packet, at most two (rxe_odp_mr_copy).',
  sharing:
    'an invalidation clears the entries of its range; it waits for a copy that is running (rxe_ib_invalidate_range).',
  oversubscription:
    'there is no device memory to run out of; pages are swapped as any other, as none is pinned.',
  atomics:
    'eight bytes under a lock of the driver: atomic among its own requests, not with the CPU (rxe_odp_atomic_op).',
  fork: 'the fork takes the entries away; the adapter stays with the parent, and its next write there breaks the sharing.',
  hints: 'advise_mr brings pages in, for reading, for writing, or those that are present; nothing moves.',
  badAddress:
    'the request completes with REM_ACCESS_ERR and the queue pair is in error; the process goes on.',
};

const STEPS: DriverSteps = {
  deviceFault: 'rxe_check_pagefault finds that the list has no entry for a page of the packet.',
  cpuFault: "there is no device memory: a CPU fault is none of the driver's.",
  batch: 'rxe_odp_map_range_and_lock serves the fault in the work item that copies.',
  migration: 'nothing migrates to an adapter.',
  mapping: 'ib_umem_odp_map_dma_and_lock takes over what hmm_range_fault has found.',
  retry: 'ib_umem_odp_map_dma_and_lock finds that the sequence has moved, and walks again.',
  replay: 'rxe_odp_mr_copy goes on with the packet.',
  resolving: ['hmm_range_fault', 'map_dma_and_lock'],
};

/** A soft-RoCE client. */
export class RxeClient extends RdmaClient<RxeMr> {
  /** What of it is state. */
  static override readonly state = declareState({});

  /** @param exploration given where all interleavings are explored. */
  constructor(system: MemorySystem, options: RxeOptions = RXE_INTENDED, exploration?: ClientExploration) {
    const driver = new RxeDriver(system, options, exploration);
    super({
      name: 'rxe',
      adapter: 'soft-roce',
      driver,
      implicit: false,
      attributes: {},
      readOnlyRefusal: undefined,
      workers: () => [],
      log: [],
      counted: () => ({}),
      counts: driver.counts,
    });
  }
}

/** How an application makes this client. */
export function rxeFactory(): ClientFactory<RxeClient> {
  return {
    name: 'rxe',
    title: 'soft-RoCE (rdma_rxe)',
    gpus: ['soft-roce'],
    settings: { defects: '1: with the defects that Linux 7.3 has, 0: as it is meant' },
    rules: RULES,
    steps: STEPS,
    naming: RXE_NAMING,
    create({ memory, exploration }, gpu, settings) {
      if (gpu !== 'soft-roce')
        return { ok: false, message: `rxe is software: its adapter is soft-roce, not ${gpu}` };
      const defects = settings.get('defects') ?? '0';
      if (defects !== '0' && defects !== '1')
        return { ok: false, message: `defects is 0 or 1, not ${defects}` };
      const options = defects === '1' ? RXE_7_3 : RXE_INTENDED;
      return { ok: true, client: new RxeClient(memory, options, exploration) };
    },
  };
}
