/**
 * The driver of a card that does not exist: it mirrors a process and maps, at a fault, whatever the CPU has mapped of the
 * aligned 64 KiB around it.
 *
 * @packageDocumentation
 */
import {
  ACCESS_ATOMIC,
  ACCESS_WRITE,
  type AccessStream,
  type Capability,
  type ClientFactory,
  type ClientWorker,
  cpuResidency,
  type DeviceClient,
  type DeviceCounters,
  type DeviceOperationResult,
  type DeviceProcess,
  noCounters,
  type OpenResult,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  runStream,
  type SingleAccessDevice,
  type StreamResult,
  SystemFrames,
} from '@hmm/device';
import { defineTracepoint, EBUSY, EIO, EOPNOTSUPP, type Kernel, type Task } from '@hmm/kernel';
import {
  EVENT_DEVICE_FAULT,
  EVENT_MAPPED_REMOTE,
  EVENT_OTHER,
  EVENT_REPLAY,
  EVENT_RETRY,
} from '@hmm/kernel/internal';
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmRangeFault,
} from '@hmm/mirror';
import type { MmStruct } from '@hmm/mm';
import {
  MAX_PAGE,
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  type MmuNotifierRange,
} from '@hmm/mmu-notifier';

const WINDOW_PAGES = 16;
const ACCESS_NS = 500;
const FAULT_NS = 10_000;
const REPLAY_NS = 1000;

const FAULT = defineTracepoint('toy:fault', {
  value: '1 for a write',
  means: EVENT_DEVICE_FAULT,
  says: 'the card has no entry for an access',
  text: (value) => (value === 1 ? 'write' : 'read'),
});
const MAP = defineTracepoint('toy:map', {
  value: 'pages asked for',
  means: EVENT_MAPPED_REMOTE,
  says: 'the card maps what the CPU has mapped around the fault',
});
const RETRY = defineTracepoint('toy:retry', {
  value: '',
  means: EVENT_RETRY,
  says: 'the page tables changed meanwhile',
});
const REPLAY = defineTracepoint('toy:replay', {
  value: '',
  means: EVENT_REPLAY,
  says: 'the access is done again',
});
const DOORBELL = defineTracepoint('toy:doorbell', {
  value: '',
  means: EVENT_OTHER,
  says: 'a kernel is handed to the card',
  lane: 'doorbell',
});

/** The driver with its card. */
export class ToyClient implements DeviceClient {
  readonly name = 'toy';
  readonly gpu = 'toy-card';
  readonly log: string[] = [];
  readonly totals = noCounters();
  readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  capability(): Capability {
    const none = { managedMemory: false, atomics: false, faultMigration: false, advice: [], operations: [] };
    return { ok: true, features: { systemMemory: true, memoryPages: 0, ...none } };
  }

  workers(): readonly ClientWorker[] {
    return [];
  }

  *openProcess(mm: MmStruct): Task<OpenResult> {
    const process = new ToyProcess(this, mm);
    const errno = yield* process.open();
    return errno === 0 ? { ok: true, process } : { ok: false, errno, reason: 'the process is exiting' };
  }

  *limitMemory(): Task<number> {
    return -EOPNOTSUPP;
  }

  counters(): DeviceCounters {
    return { ...this.totals, timeNs: { ...this.totals.timeNs } };
  }

  emit(kind: number, page: number, pages: number, value: number): void {
    if (this.kernel.trace.on) this.kernel.emit(kind, page, pages, value);
  }
}

class ToyProcess implements DeviceProcess, SingleAccessDevice {
  readonly managed = undefined;
  readonly accessNs = ACCESS_NS;
  private readonly client: ToyClient;
  private readonly mm: MmStruct;
  private readonly frames: SystemFrames;
  /** The card's table: twice the frame, and 1 if it may write, by page. */
  private readonly table = new Map<number, number>();
  private notifier: MmuIntervalNotifier | undefined;

  constructor(client: ToyClient, mm: MmStruct) {
    this.client = client;
    this.mm = mm;
    this.frames = new SystemFrames(mm.system);
  }

  *open(): Task<number> {
    const notifier = yield* mmuIntervalNotifierInsert(this.mm, 0, MAX_PAGE, this);
    if (typeof notifier === 'number') return notifier;
    this.notifier = notifier;
    return 0;
  }

  invalidate(notifier: MmuIntervalNotifier, { start, end }: MmuNotifierRange, seq: number): boolean {
    mmuIntervalSetSeq(notifier, seq);
    this.client.totals.invalidations++;
    for (const vpn of this.table.keys()) if (vpn >= start && vpn < end) this.table.delete(vpn);
    return true;
  }

  *launch(stream: AccessStream): Task<StreamResult> {
    this.client.emit(DOORBELL, stream.base, stream.pages.length, 0);
    return yield* runStream(this, this.client.kernel.sched, stream);
  }

  *access(stream: AccessStream, i: number, kind: number): Task<number> {
    const vpn = stream.base + (stream.pages[i] ?? 0);
    const write = kind === ACCESS_WRITE || kind === ACCESS_ATOMIC;
    let entry = this.table.get(vpn);
    while (entry === undefined || (write && entry % 2 === 0)) {
      const errno = yield* this.fault(vpn, write);
      if (errno !== 0) return errno;
      yield* this.client.kernel.sched.delay(REPLAY_NS);
      this.client.totals.replays++;
      this.client.emit(REPLAY, vpn, 1, 0);
      entry = this.table.get(vpn);
    }
    this.client.totals.remoteAccesses++;
    this.client.totals.timeNs.running += ACCESS_NS;
    const { offset, width, values } = stream;
    if (values === undefined) return 0;
    const pfn = Math.floor(entry / 2);
    const before = kind === ACCESS_WRITE ? 0 : this.frames.read(pfn, offset, width);
    if (write) this.frames.write(pfn, offset, width, before + (values[i] ?? 0));
    if (kind !== ACCESS_WRITE) values[i] = before;
    return 0;
  }

  private *fault(vpn: number, write: boolean): Task<number> {
    const { client, mm, notifier } = this;
    const { timeNs } = client.totals;
    client.totals.faults++;
    client.emit(FAULT, vpn, 1, write ? 1 : 0);
    yield* client.kernel.sched.delay(FAULT_NS);
    timeNs.faultWait += FAULT_NS;
    const start = vpn - (vpn % WINDOW_PAGES);
    for (;;) {
      if (notifier === undefined || this.notifier === undefined) return -EIO;
      const hmmPfns = new Int32Array(2 * WINDOW_PAGES);
      hmmPfns[2 * (vpn - start)] = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0);
      const notifierSeq = yield* mmuIntervalReadBegin(notifier);
      if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
      const range = { notifier, notifierSeq, start, end: start + WINDOW_PAGES, hmmPfns, defaultFlags: 0 };
      const answer = hmmRangeFault(mm, {
        ...range,
        pfnFlagsMask: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
        devPrivateOwner: 0,
      });
      const result = typeof answer === 'number' ? answer : yield* answer;
      mm.mmapLock.unlockRead();
      if (result !== 0 && result !== -EBUSY) return result;
      if (result === 0 && !mmuIntervalReadRetry(notifier, notifierSeq)) return this.enter(start, hmmPfns);
      client.totals.retries++;
      client.emit(RETRY, vpn, 1, 0);
    }
  }

  /** Nothing has changed since the walk: what it found is entered. */
  private enter(start: number, hmmPfns: Int32Array): number {
    let pages = 0;
    for (let i = 0; i < WINDOW_PAGES; i++) {
      const flags = hmmPfns[2 * i] ?? 0;
      if ((flags & HMM_PFN_VALID) === 0) continue;
      this.table.set(start + i, 2 * (hmmPfns[2 * i + 1] ?? 0) + ((flags & HMM_PFN_WRITE) === 0 ? 0 : 1));
      pages++;
    }
    this.client.totals.batches++;
    this.client.totals.remoteMaps += pages;
    this.client.emit(MAP, start, WINDOW_PAGES, pages);
    return 0;
  }

  *prefetch(): Task<number> {
    return 0;
  }

  *advise(): Task<number> {
    return -EOPNOTSUPP;
  }

  *operation(): Task<DeviceOperationResult> {
    return { rc: -EOPNOTSUPP, cpages: 0, faults: 0, values: [] };
  }

  residency(vpn: number, pages: number, out: Uint8Array): void {
    for (let i = 0; i < pages; i++) {
      const entry = this.table.get(vpn + i);
      const device = entry === undefined ? 0 : RES_DEVICE_MAPPED | (entry % 2 === 1 ? RES_DEVICE_WRITE : 0);
      out[i] = cpuResidency(this.mm, vpn + i) | device;
    }
  }

  fatal(): undefined {
    return undefined;
  }

  *close(): Task {
    const { notifier } = this;
    if (notifier === undefined) return;
    this.notifier = undefined;
    yield* mmuIntervalNotifierRemove(notifier);
    this.table.clear();
  }
}

/** The one thing that an application registers. */
export function toyFactory(): ClientFactory<ToyClient> {
  return {
    name: 'toy',
    title: 'the toy card',
    gpus: ['toy-card'],
    settings: {},
    rules: {
      gpuFault: 'maps what the CPU has of the 64 KiB around the fault, where it is (toy_fault).',
      firstTouch: 'faults the page in as the CPU would.',
      cpuFault: 'brings nothing home: nothing ever leaves.',
      granularity: 'a fault maps up to 16 pages.',
      sharing: 'both sides map the pages at once.',
      oversubscription: 'has no memory that could run out.',
      atomics: 'has none.',
      fork: 'pages are shared copy on write; the mirror stays with the parent.',
      hints: 'takes no hints.',
      badAddress: 'fails the kernel.',
    },
    steps: {
      deviceFault: 'toy_fault reads the missing address',
      cpuFault: 'none',
      batch: 'toy_fault: one window',
      migration: 'none',
      mapping: 'toy_enter',
      retry: 'mmu_interval_read_retry',
      replay: 'toy_doorbell',
      resolving: [],
    },
    create: ({ kernel }) => ({ ok: true, client: new ToyClient(kernel) }),
  };
}
