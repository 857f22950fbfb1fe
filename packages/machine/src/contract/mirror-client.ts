import { EBUSY, EIO, EOPNOTSUPP, type Kernel, type Task } from '@hmm/kernel';
import { HMM_PFN_REQ_FAULT, HMM_PFN_REQ_WRITE, HMM_PFN_WRITE, hmmRangeFault } from '@hmm/mirror';
import type { MmStruct } from '@hmm/mm';
import {
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  type MmuNotifierRange,
  MAX_PAGE,
} from '@hmm/mmu-notifier';
import {
  ACCESS_ATOMIC,
  ACCESS_READ,
  ACCESS_WRITE,
  type AccessStream,
  type Capability,
  cpuResidency,
  type ClientWorker,
  type DeviceClient,
  type DeviceCounters,
  type DeviceOperationResult,
  type DeviceProcess,
  type DriverSteps,
  type OpenResult,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  runStream,
  type SingleAccessDevice,
  type StreamResult,
  noCounters,
} from '@hmm/device';

/**
 * The smallest client there can be, to copy from: a device without memory that mirrors a process's address space and
 * reaches its pages over the link, as network adapters with on-demand paging do. All of the mirror protocol is here.
 */
export class MirrorClient implements DeviceClient {
  readonly name = 'mirror';
  readonly gpu = 'none';
  readonly log: string[] = [];
  readonly totals = noCounters();
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  capability(): Capability {
    return {
      ok: true,
      features: {
        systemMemory: true,
        managedMemory: false,
        atomics: false,
        faultMigration: false,
        advice: [],
        operations: [],
        memoryPages: 0,
      },
    };
  }

  workers(): readonly ClientWorker[] {
    return [];
  }

  *openProcess(mm: MmStruct): Task<OpenResult> {
    const process = new MirrorProcess(this, this.kernel, mm);
    const errno = yield* process.open();
    return errno === 0 ? { ok: true, process } : { ok: false, errno, reason: 'the process is exiting' };
  }

  *limitMemory(): Task<number> {
    return -EOPNOTSUPP;
  }

  counters(): DeviceCounters {
    return { ...this.totals, timeNs: { ...this.totals.timeNs } };
  }
}

class MirrorProcess implements DeviceProcess, SingleAccessDevice {
  readonly managed = undefined;
  readonly accessNs = ACCESS_NS;
  /** The device's page table: frame and right to write, by page. */
  private readonly table = new Map<number, { pfn: number; write: boolean }>();
  private notifier: MmuIntervalNotifier | undefined;
  private readonly client: MirrorClient;
  private readonly kernel: Kernel;
  private readonly mm: MmStruct;

  constructor(client: MirrorClient, kernel: Kernel, mm: MmStruct) {
    this.client = client;
    this.kernel = kernel;
    this.mm = mm;
  }

  *open(): Task<number> {
    const notifier = yield* mmuIntervalNotifierInsert(this.mm, 0, MAX_PAGE, this);
    if (typeof notifier === 'number') return notifier;
    this.notifier = notifier;
    return 0;
  }

  /** The notifier's callback: these pages change, so the device must not use them any more. */
  invalidate(notifier: MmuIntervalNotifier, range: MmuNotifierRange, seq: number): boolean {
    mmuIntervalSetSeq(notifier, seq);
    this.client.totals.invalidations++;
    for (const vpn of this.table.keys()) if (vpn >= range.start && vpn < range.end) this.table.delete(vpn);
    return true;
  }

  *launch(stream: AccessStream): Task<StreamResult> {
    return yield* runStream(this, this.kernel.sched, stream);
  }

  *access(stream: AccessStream, i: number, kind: number): Task<number> {
    const vpn = stream.base + (stream.pages[i] ?? 0);
    const write = kind === ACCESS_WRITE || kind === ACCESS_ATOMIC;
    let entry = this.table.get(vpn);
    while (entry === undefined || (write && !entry.write)) {
      if (this.notifier === undefined) return -EIO;
      const errno = yield* this.fault(vpn, write);
      if (errno !== 0) return errno;
      entry = this.table.get(vpn);
    }
    this.move(stream, i, entry.pfn);
    this.client.totals.remoteAccesses++;
    this.client.totals.timeNs.running += ACCESS_NS;
    return 0;
  }

  /** One round of the protocol: begin, look with mmap_lock held, and install only if nothing changed meanwhile. */
  private *fault(vpn: number, write: boolean): Task<number> {
    const { notifier, mm, client } = this;
    if (notifier === undefined) return -EIO;
    client.totals.faults++;
    client.totals.batches++;
    for (;;) {
      const hmmPfns = new Int32Array(2);
      const notifierSeq = yield* mmuIntervalReadBegin(notifier);
      if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
      const answer = hmmRangeFault(mm, {
        notifier,
        notifierSeq,
        start: vpn,
        end: vpn + 1,
        hmmPfns,
        defaultFlags: write ? HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT,
        pfnFlagsMask: 0,
        devPrivateOwner: 0,
      });
      const result = typeof answer === 'number' ? answer : yield* answer;
      mm.mmapLock.unlockRead();
      if (result === 0 && !mmuIntervalReadRetry(notifier, notifierSeq)) {
        const [flags = 0, pfn = 0] = hmmPfns;
        this.table.set(vpn, { pfn, write: (flags & HMM_PFN_WRITE) !== 0 });
        return 0;
      }
      if (result !== 0 && result !== -EBUSY) return result;
      client.totals.retries++;
    }
  }

  private move(stream: AccessStream, i: number, pfn: number): void {
    const { data } = this.mm.system;
    const { offset, width, values } = stream;
    if (values === undefined) return;
    const bytes = new Uint8Array(4);
    const view = new DataView(bytes.buffer);
    if (stream.access !== ACCESS_WRITE) data.read(pfn, offset, bytes.subarray(0, width));
    const before = view.getUint32(0, true);
    if (stream.access !== ACCESS_READ) {
      view.setUint32(0, (stream.access === ACCESS_WRITE ? 0 : before) + (values[i] ?? 0), true);
      data.write(pfn, offset, bytes.subarray(0, width));
    }
    if (stream.access !== ACCESS_WRITE) values[i] = before;
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
      const device = entry === undefined ? 0 : RES_DEVICE_MAPPED | (entry.write ? RES_DEVICE_WRITE : 0);
      out[i] = cpuResidency(this.mm, vpn + i) | device;
    }
  }

  fatal(): string | undefined {
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

/** One access over PCI Express, ns. */
const ACCESS_NS = 1000;

/** How the steps of {@link MirrorClient} are told, for factories that make one. */
export const MIRROR_STEPS: DriverSteps = {
  deviceFault: 'MirrorProcess.access finds no entry',
  cpuFault: 'none: all memory is the host’s',
  batch: 'MirrorProcess.fault: one page',
  migration: 'none: nothing moves',
  mapping: 'MirrorProcess.fault enters the frame',
  retry: 'mmu_interval_read_retry',
  replay: 'MirrorProcess.access goes on',
  resolving: [],
};
