import {
  ACCESS_ATOMIC,
  ACCESS_WRITE,
  type AccessStream,
  type Capability,
  cpuResidency,
  type DeviceClient,
  type DeviceCounters,
  type DeviceOperation,
  type DeviceOperationResult,
  type DeviceProcess,
  type OpenResult,
  type Place,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  runStream,
  type SingleAccessDevice,
  type StreamResult,
} from '@hmm/device';
import { EIO, EOPNOTSUPP, type Kernel, PAGE_SIZE, type Task } from '@hmm/kernel';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { DPT_XA_TAG_WRITE } from './device-table.js';
import { dmirrorFopsRelease, type Dmirror } from './dmirror.js';
import { dmirrorIoctl } from './ioctl.js';
import { TestDevice, type TestDeviceOptions } from './test-device.js';
import { REQUEST_WORDS, requestOf, valuesOf } from './requests.js';
import {
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_WRITE,
} from './uapi.js';

/** An access by an ioctl, ns: an estimate, as no hardware is behind it. */
const ACCESS_NS = 1000;

/**
 * The kernel's test device as a machine drives it: every access is an ioctl of one page, every move an ioctl of the
 * range.
 */
export class TestDeviceClient implements DeviceClient {
  readonly name = 'test-device';
  readonly gpu: string;
  readonly log: readonly string[] = [];
  /** The loaded driver, for callers that look inside. */
  readonly device: TestDevice;
  private readonly kernel: Kernel;
  private readonly minor: number;
  private readonly moved = { toDevice: 0, toHost: 0 };
  private readonly figures = { faults: 0, accesses: 0 };

  /** @param minor which of the four devices: 0 and 1 have private memory, 2 and 3 coherent memory. */
  constructor(kernel: Kernel, memory: MemorySystem, minor = 0, options: TestDeviceOptions = {}) {
    this.kernel = kernel;
    this.minor = minor;
    this.gpu = minor < 2 ? 'dmirror-private' : 'dmirror-coherent';
    this.device = new TestDevice(memory, options);
  }

  /** It always works; atomics are not among its operations. */
  capability(): Capability {
    const memoryPages = this.device.devices[this.minor]?.options.chunkPages ?? 0;
    return {
      ok: true,
      features: {
        systemMemory: true,
        managedMemory: false,
        atomics: false,
        faultMigration: false,
        advice: [],
        operations: REQUEST_WORDS,
        memoryPages,
      },
    };
  }

  /** None: an ioctl serves its own faults. */
  workers(): readonly [] {
    return [];
  }

  /** Opens the device file in a process. */
  *openProcess(mm: MmStruct): Task<OpenResult<TestDeviceProcess>> {
    const dmirror = yield* this.device.open(this.minor, mm);
    if (typeof dmirror === 'number')
      return { ok: false, errno: dmirror, reason: 'the device cannot be opened' };
    return { ok: true, process: new TestDeviceProcess(this.kernel, dmirror, this.moved, this.figures) };
  }

  /** The device never gives memory back but all at once: `-EOPNOTSUPP`. */
  *limitMemory(): Task<number> {
    return -EOPNOTSUPP;
  }

  /** Totals: what the ioctls returned. The device counts no invalidations, retries or CPU faults. */
  counters(): DeviceCounters {
    const { faults, accesses } = this.figures;
    return {
      faults,
      batches: faults,
      cpuFaults: 0,
      byCause: { user: { ...this.moved } },
      remoteAccesses: 0,
      remoteMaps: 0,
      invalidations: 0,
      retries: 0,
      replays: 0,
      throttled: 0,
      pinned: 0,
      evictedPages: 0,
      timeNs: { running: accesses * ACCESS_NS, faultWait: 0, copying: 0, invalidating: 0 },
    };
  }
}

/** What an ioctl returned: 0 or a negative errno, and its counts. */
export interface IoctlResult {
  readonly rc: number;
  readonly cpages: number;
  readonly faults: number;
}

/** One process's open test device. */
export class TestDeviceProcess implements DeviceProcess, SingleAccessDevice {
  readonly managed = undefined;
  readonly accessNs = ACCESS_NS;
  private readonly kernel: Kernel;
  private readonly dmirror: Dmirror;
  private readonly moved: { toDevice: number; toHost: number };
  private readonly figures: { faults: number; accesses: number };
  private page: Uint8Array | undefined;
  private open = true;

  constructor(
    kernel: Kernel,
    dmirror: Dmirror,
    moved: { toDevice: number; toHost: number },
    figures: { faults: number; accesses: number },
  ) {
    this.kernel = kernel;
    this.dmirror = dmirror;
    this.moved = moved;
    this.figures = figures;
  }

  /** Accesses page by page: a read ioctl, and for a store the page written back changed. */
  *launch(stream: AccessStream): Task<StreamResult> {
    return yield* runStream(this, this.kernel.sched, stream);
  }

  /** `HMM_DMIRROR_MIGRATE_TO_DEV` or `_TO_SYS`. */
  *prefetch(vpn: number, pages: number, to: Place): Task<number> {
    const { rc } = yield* this.operation({ name: to === 'gpu' ? 'todev' : 'tosys', vpn, pages, value: 0 });
    return rc;
  }

  /** The device takes no advice. */
  *advise(): Task<number> {
    return -EOPNOTSUPP;
  }

  /** An ioctl by its word; `dwrite` fills page i with `value + i`, what is read comes back as byte 0 of each page. */
  *operation({ name, vpn, pages, value }: DeviceOperation): Task<DeviceOperationResult> {
    const request = requestOf(name);
    if (request === undefined) return { rc: -EOPNOTSUPP, cpages: 0, faults: 0, values: [] };
    const ptr = this.userBuffer(pages * PAGE_SIZE);
    if (request === HMM_DMIRROR_WRITE) {
      for (let i = 0; i < pages; i++) ptr.fill(value + i, i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
    }
    const { rc, cpages, faults } = yield* this.ioctl(request, vpn, pages, ptr);
    if (request === HMM_DMIRROR_MIGRATE_TO_DEV) this.moved.toDevice += cpages * PAGE_SIZE;
    if (request === HMM_DMIRROR_MIGRATE_TO_SYS) this.moved.toHost += cpages * PAGE_SIZE;
    return { rc, cpages, faults, values: rc === 0 ? valuesOf(request, ptr, pages) : [] };
  }

  /** Where pages are and who maps them, as `RES_*` bits. */
  residency(vpn: number, pages: number, out: Uint8Array): void {
    for (let i = 0; i < pages; i++) {
      const tag = this.dmirror.pt.peek(vpn + i);
      let bits = cpuResidency(this.dmirror.mm, vpn + i);
      if (tag !== 0) bits |= RES_DEVICE_MAPPED;
      if ((tag & DPT_XA_TAG_WRITE) !== 0) bits |= RES_DEVICE_WRITE;
      out[i] = bits;
    }
  }

  /** Nothing kills a test device. */
  fatal(): undefined {
    return undefined;
  }

  /** Closes the file: the mirror goes, and with it what is in the device's memory. */
  *close(): Task {
    if (!this.open) return;
    this.open = false;
    yield* dmirrorFopsRelease(this.dmirror);
  }

  /** Access `i` of the piece, by ioctls of its page. Memory whose contents do not matter keeps them. */
  *access(stream: AccessStream, i: number, kind: number): Task<number> {
    const { base, pages, offset, width, values } = stream;
    const vpn = base + (pages[i] ?? 0);
    const page = (this.page ??= new Uint8Array(PAGE_SIZE));
    const read = yield* this.ioctl(HMM_DMIRROR_READ, vpn, 1, page);
    if (read.rc !== 0) return read.rc;
    const view = new DataView(page.buffer);
    const before = load(view, offset, width);
    const value = values?.[i] ?? 0;
    if (kind !== ACCESS_WRITE && values !== undefined) values[i] = before;
    this.figures.accesses++;
    if (kind !== ACCESS_WRITE && kind !== ACCESS_ATOMIC) return 0;
    if (values !== undefined) store(view, offset, width, kind === ACCESS_ATOMIC ? before + value : value);
    return (yield* this.ioctl(HMM_DMIRROR_WRITE, vpn, 1, page)).rc;
  }

  /** A user's buffer for an ioctl. */
  protected userBuffer(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  /** Makes an ioctl; `-EIO` once the file is closed. */
  protected *ioctl(request: number, vpn: number, npages: number, ptr: Uint8Array): Task<IoctlResult> {
    if (!this.open) return { rc: -EIO, cpages: 0, faults: 0 };
    const cmd = { addr: vpn * PAGE_SIZE, ptr, npages, cpages: 0, faults: 0 };
    const rc = yield* dmirrorIoctl(this.dmirror, request, cmd);
    this.figures.faults += cmd.faults;
    return { rc, cpages: cmd.cpages, faults: cmd.faults };
  }
}

function load(view: DataView, offset: number, width: 1 | 2 | 4): number {
  if (width === 1) return view.getUint8(offset);
  return width === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
}

function store(view: DataView, offset: number, width: 1 | 2 | 4, value: number): void {
  if (width === 1) view.setUint8(offset, value);
  else if (width === 2) view.setUint16(offset, value, true);
  else view.setUint32(offset, value, true);
}
