import {
  type BrokenInvariant,
  bytesMoved,
  type Capability,
  type ClientWorker,
  cpuResidency,
  type DeviceClient,
  type DeviceCounters,
  type DeviceOperation,
  type DeviceOperationResult,
  type DeviceProcess,
  noCounters,
  type OpenResult,
  type AccessStream,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  type StreamResult,
  type Place,
} from '@hmm/device';
import { EIO, EOPNOTSUPP, type Task } from '@hmm/kernel';
import { declareState, type StateDeclaration } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import { QueuePair, type QueuePairAttributes } from '@hmm/rdma-nic';
import { ENTRY_WRITE, type RdmaDriver, type RdmaMr } from './rdma-driver.js';
import { brokenOfTables } from './odp-invariants.js';
import { WholeMemory } from './rdma-memory.js';
import type { OdpCounts } from './umem-odp.js';
import { RdmaStream, type StreamFigures } from './rdma-stream.js';
import { type VerbCall, verbOf, VERBS } from './rdma-operation.js';
import { type VerbResult, VerbsProcess } from './rdma-verbs.js';
import { IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH } from './verbs.js';

/** What a driver adds to be a client. */
export interface RdmaClientSetup<Mr extends RdmaMr> {
  /** For `--client`. */
  readonly name: string;
  /** The adapter. */
  readonly adapter: string;
  readonly driver: RdmaDriver<Mr>;
  /** Whether one region can be the whole address space. */
  readonly implicit: boolean;
  readonly attributes: Partial<QueuePairAttributes>;
  /** Why memory that may not be written cannot be read either; undefined where it can. */
  readonly readOnlyRefusal: string | undefined;
  /** The driver's agents, made anew for each call. */
  readonly workers: () => readonly ClientWorker[];
  readonly log: readonly string[];
  /** What its driver counts besides, to be taken into the client's. */
  readonly counted: () => Partial<DeviceCounters>;
  readonly counts: OdpCounts;
}

/**
 * An adapter as a machine uses it: an access of the device is a request of a peer. Nothing ever migrates to it, since it has
 * no memory.
 */
export class RdmaClient<Mr extends RdmaMr> implements DeviceClient {
  /** What of it is state. */
  static readonly state: StateDeclaration = declareState({
    name: 'constant',
    gpu: 'constant',
    log: 'constant',
    driver: 'constant',
    setup: { outside: 'what it was made from' },
    figures: { saved: 'totals, which decide nothing' },
    nextPd: 'value',
  });

  readonly name: string;
  readonly gpu: string;
  readonly log: readonly string[];
  readonly driver: RdmaDriver<Mr>;
  private readonly setup: RdmaClientSetup<Mr>;
  private readonly figures: StreamFigures = { accesses: 0, faults: 0, runningNs: 0, waitingNs: 0 };
  private nextPd = 1;

  constructor(setup: RdmaClientSetup<Mr>) {
    this.name = setup.name;
    this.gpu = setup.adapter;
    this.log = setup.log;
    this.driver = setup.driver;
    this.setup = setup;
  }

  /** It works wherever it is. */
  capability(): Capability {
    const { readOnlyRefusal } = this.setup;
    return {
      ok: true,
      features: {
        systemMemory: true,
        managedMemory: false,
        atomics: true,
        faultMigration: false,
        advice: [],
        operations: VERBS,
        memoryPages: 0,
        ...(readOnlyRefusal === undefined ? {} : { readOnlyRefusal }),
      },
    };
  }

  /** The driver's agents. */
  workers(): readonly ClientWorker[] {
    const { setup, driver } = this;
    return [...setup.workers(), { name: 'events', task: driver.exits.worker() }];
  }

  /** Opens the device in a process: a protection domain. */
  *openProcess(mm: MmStruct): Task<OpenResult<RdmaProcess<Mr>>> {
    const process = new RdmaProcess(this.setup, mm, this.nextPd++, this.figures);
    return { ok: true, process };
  }

  /** What was seen at copies, callbacks and deregistrations, and what the tables show now. */
  brokenInvariants(pages: readonly number[], atRest: boolean): readonly BrokenInvariant[] {
    const { driver } = this;
    const now = [...driver.brokenNow(atRest), ...brokenOfTables(driver.tables(), pages, atRest)];
    if (bytesMoved(this.counters(), 'toDevice') + bytesMoved(this.counters(), 'toHost') > 0)
      now.push({ invariant: 'OI15', detail: 'pages have moved for an adapter' });
    return [...driver.broken.list(), ...now.map((each) => ({ ...each, story: [], times: 1 }))];
  }

  /** There is none to limit. */
  *limitMemory(): Task<number> {
    return -EOPNOTSUPP;
  }

  /** All data stays in host memory, so that every access is a remote one. */
  counters(): DeviceCounters {
    const { accesses, faults, runningNs, waitingNs } = this.figures;
    const { mapped, invalidations, retries } = this.setup.counts;
    return {
      ...noCounters(),
      faults,
      batches: faults,
      remoteAccesses: accesses,
      remoteMaps: mapped,
      invalidations,
      retries,
      ...this.setup.counted(),
      timeNs: { running: runningNs, faultWait: waitingNs, copying: 0, invalidating: 0 },
    };
  }
}

/** One process on an adapter. */
export class RdmaProcess<Mr extends RdmaMr> implements DeviceProcess {
  /** What of it is state. */
  static readonly state: StateDeclaration = declareState({
    managed: 'constant',
    verbs: 'constant',
    setup: { outside: 'what its client was made from' },
    mm: 'constant',
    pd: 'constant',
    memory: 'constant',
    stream: 'constant',
    open: 'value',
  });

  readonly managed = undefined;
  /** Its regions and its connection, for programs that name them. */
  readonly verbs: VerbsProcess<Mr>;
  private readonly setup: RdmaClientSetup<Mr>;
  private readonly mm: MmStruct;
  private readonly pd: number;
  private readonly memory: WholeMemory<Mr>;
  private readonly stream: RdmaStream<Mr>;
  private open = true;

  constructor(setup: RdmaClientSetup<Mr>, mm: MmStruct, pd: number, figures: StreamFigures) {
    const { driver, attributes } = setup;
    this.setup = setup;
    this.mm = mm;
    this.pd = pd;
    this.verbs = new VerbsProcess(driver, mm, pd, attributes);
    this.memory = new WholeMemory(driver, mm, pd, setup.implicit);
    this.stream = new RdmaStream(driver, mm.system, this.memory, figures, () => this.open);
  }

  /** A peer's requests, by plain addresses, on a connection of their own. */
  *launch(stream: AccessStream): Task<StreamResult> {
    const { driver, attributes } = this.setup;
    const requester = new QueuePair(driver, this.pd, attributes);
    requester.connect(new QueuePair(driver, this.pd, attributes));
    return yield* this.stream.run(requester.peer, stream);
  }

  /** Advice to bring the pages in for reading; nothing moves. To the CPU there is nothing to do. */
  *prefetch(vpn: number, pages: number, to: Place): Task<number> {
    if (!this.open) return -EIO;
    if (to === 'cpu') return 0;
    for (let at = vpn; at < vpn + pages;) {
      const mr = yield* this.memory.region(at);
      if (typeof mr === 'number') return mr;
      const stop = Math.min(vpn + pages, (mr.iova + mr.length) / 4096);
      const segment = { key: mr.key, addr: at * 4096, length: (stop - at) * 4096 };
      // Best effort: pages that cannot be had stay away.
      yield* this.setup.driver.adviseMr(this.pd, IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH, [segment]);
      at = stop;
    }
    return 0;
  }

  /** An adapter takes no advice about where pages live. */
  *advise(): Task<number> {
    return this.open ? -EOPNOTSUPP : -EIO;
  }

  /** A verb by its name. */
  *operation(call: DeviceOperation): Task<DeviceOperationResult> {
    if (!this.open) return { rc: -EIO, cpages: 0, faults: 0, values: [] };
    const verb = verbOf(call);
    if (verb === undefined) return { rc: -EOPNOTSUPP, cpages: 0, faults: 0, values: [] };
    const { rc, values, wc, rwc } = yield* this.verb(verb);
    const reply = { rc, values, cpages: 0, faults: 0 };
    if (wc === undefined) return reply;
    return { ...reply, completions: rwc === undefined ? [wc] : [wc, rwc] };
  }

  /** A verb with its operands. */
  *verb(call: VerbCall): Task<VerbResult> {
    const { verbs } = this;
    switch (call.name) {
      case 'ropen':
        return { rc: 0, values: [] };
      case 'reg':
        return yield* verbs.register(call.mr, call.vpn, call.pages, call.access);
      case 'dereg':
        return yield* verbs.deregister(call.mr);
      case 'adv':
        return yield* verbs.advise(call, call.advice);
      case 'rread':
        return yield* verbs.read(call);
      case 'rwrite':
        return yield* verbs.write(call, call.value);
      case 'radd':
        return yield* verbs.fetchAdd(call, call.value);
      case 'lsend':
        return yield* verbs.send(call);
      default:
        return yield* verbs.receive(call, call.value);
    }
  }

  /** Where pages are and who maps them, as `RES_*` bits. */
  residency(vpn: number, pages: number, out: Uint8Array): void {
    for (let i = 0; i < pages; i++) out[i] = cpuResidency(this.mm, vpn + i) | this.mapping(vpn + i);
  }

  /** Nothing kills an adapter's process: after an error it connects anew. */
  fatal(): undefined {
    return undefined;
  }

  /** Closes the device file: every region is deregistered. */
  *close(): Task {
    if (!this.open) return;
    this.open = false;
    yield* this.verbs.close();
    yield* this.memory.close();
  }

  private mapping(vpn: number): number {
    const mr = this.memory.find(vpn);
    const window = mr === undefined ? undefined : this.setup.driver.window(mr, vpn);
    const flags = window === undefined ? 0 : (window.entries[2 * (vpn - window.first)] ?? 0);
    if ((flags & 1) === 0) return 0;
    return RES_DEVICE_MAPPED | ((flags & ENTRY_WRITE) !== 0 ? RES_DEVICE_WRITE : 0);
  }
}
