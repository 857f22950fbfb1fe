import type { DeviceOperationResult, DeviceProcess } from '@hmm/device';
import { EBUSY, EIO, HmmError, PAGE_SIZE, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { TestDeviceWord } from '@hmm/operations/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { DPT_XA_TAG_ATOMIC, DPT_XA_TAG_WRITE } from './device-table.js';
import { dmirrorFopsRelease, type Dmirror } from './dmirror.js';
import { mirrorEntries, testDeviceInvariants } from './invariants.js';
import { dmirrorIoctl } from './ioctl.js';
import { TestDevice, type TestDeviceOptions } from './test-device.js';
import { TEST_DEVICE_NAMING } from './test-device-naming.js';
import type { HmmDmirrorCmd } from './uapi.js';
import { type IoctlResult, TestDeviceProcess } from './test-device-client.js';

/** An entry of a device's table. */
export interface MirrorEntry {
  readonly device: number;
  readonly mm: MmStruct;
  readonly vpn: number;
  /** The frame that holds the data. */
  readonly pfn: number;
  readonly write: boolean;
  readonly atomic: boolean;
}

const INVARIANTS = Object.entries(testDeviceInvariants);

/** One open file. */
export interface OpenFile {
  readonly device: number;
  readonly mm: MmStruct;
  readonly dmirror: Dmirror;
  /** The descriptor, and each call that is under way. */
  users: number;
}

/**
 * The test devices as a program uses them: open, operations over page ranges with one value a page, close. A process has
 * a device open at most once here.
 */
export class MirrorOperations {
  /** What of it is state. */
  static readonly state = declareState({
    device: 'constant',
    files: 'constant',
    closing: 'constant',
    filesObject: 'constant',
    naming: { outside: 'names for stories' },
    buffer: { outside: 'written before it is read, by one call' },
  });

  /** Under which names the driver knows its functions. */
  readonly naming = TEST_DEVICE_NAMING;
  readonly device: TestDevice;
  private readonly files: OpenFile[] = [];
  /** Closed, and not released yet. */
  private readonly closing: OpenFile[] = [];
  /** Under which the files are observed. */
  private readonly filesObject: number;
  private buffer = new Uint8Array(0);

  constructor(system: MemorySystem, options: TestDeviceOptions = {}) {
    this.device = new TestDevice(system, options);
    this.filesObject = system.kernel.allocIds(1);
  }

  /** Opens `device` for `mm`: it mirrors it from now on. 0 or a negative errno. */
  *open(device: number, mm: MmStruct): Task<number> {
    if (this.find(device, mm) !== undefined) return -EBUSY;
    const dmirror = yield* this.device.open(device, mm);
    if (typeof dmirror === 'number') return dmirror;
    this.accessFiles(true);
    this.files.push({ device, mm, dmirror, users: 1 });
    return 0;
  }

  /** Closes it again; calls that are under way keep it until they return. 0, or `-EIO` where it is not open. */
  *close(device: number, mm: MmStruct): Task<number> {
    this.accessFiles(true);
    const file = this.find(device, mm);
    if (file === undefined) return -EIO;
    this.files.splice(this.files.indexOf(file), 1);
    this.closing.push(file);
    yield* this.put(file);
    return 0;
  }

  /** Drops a use of a file; the last one releases it. */
  private *put(file: OpenFile): Task {
    file.users--;
    this.accessFiles(file.users === 0);
    if (file.users > 0) return;
    yield* dmirrorFopsRelease(file.dmirror);
    this.closing.splice(this.closing.indexOf(file), 1);
  }

  /** An access to which files there are, and who uses them. Uses of a file that stays commute. */
  private accessFiles(write: boolean): void {
    this.device.kernel.sched.access(this.filesObject, write);
  }

  /**
   * Reads what an observed object of the devices holds, for an exploration that tells states apart: of the lock of a mirror, what it
   * protects besides the table, whose entries are observed by themselves. False for objects that are none of theirs.
   */
  contents(object: number, into: { word: number; frame: number; other: number }): boolean {
    if (object === this.filesObject) {
      for (const { device, mm, users } of [...this.files, ...this.closing])
        into.word = Math.imul(into.word ^ (device + 8 * mm.id + 4096 * users), 0x01000193);
      return true;
    }
    for (const file of [...this.files, ...this.closing]) {
      const { flags, mutex, notifier, pt, mdevice } = file.dmirror;
      if (object === mutex.id) into.word = 2 * flags + (notifier === undefined ? 0 : 1);
      else if (object === mdevice.mirrorsObject)
        for (const mirror of mdevice.mirrors)
          into.word = Math.imul(into.word ^ (mirror?.id ?? -1), 0x01000193);
      else if (!pt.contents(object, into)) continue;
      return true;
    }
    return false;
  }

  /** Closes all that a process that ended had open, in the order in which it opened them. */
  *closeAll(mm: MmStruct): Task {
    for (const file of this.files.filter((open) => open.mm === mm)) yield* this.close(file.device, mm);
  }

  /** The device as a process has it open; undefined where it has not, or not any more. */
  process(device: number, mm: MmStruct): DeviceProcess | undefined {
    const file = this.find(device, mm);
    if (file !== undefined) return new MirrorProcess(this, file);
    this.accessFiles(false);
    return undefined;
  }

  /** Runs an operation over `pages` pages from `vpn` on; `dwrite` fills page i with `value + i` (modulo 256). */
  *call(
    device: number,
    mm: MmStruct,
    name: TestDeviceWord,
    vpn: number,
    pages: number,
    value: number,
  ): Task<DeviceOperationResult> {
    const process = this.process(device, mm);
    if (process === undefined) return { rc: -EIO, cpages: 0, faults: 0, values: [] };
    return yield* process.operation({ name, vpn, pages, value });
  }

  /** Makes an ioctl on an open file, which stays until it returns; `-EIO` where the file is closed. */
  *ioctl(file: OpenFile, request: number, vpn: number, npages: number, ptr: Uint8Array): Task<IoctlResult> {
    this.accessFiles(false);
    if (!this.files.includes(file)) return { rc: -EIO, cpages: 0, faults: 0 };
    file.users++;
    const cmd: HmmDmirrorCmd = { addr: vpn * PAGE_SIZE, ptr, npages, cpages: 0, faults: 0 };
    const rc = yield* dmirrorIoctl(file.dmirror, request, cmd);
    yield* this.put(file);
    return { rc, cpages: cmd.cpages, faults: cmd.faults };
  }

  /** All entries of all devices' tables. */
  entries(): MirrorEntry[] {
    const entries: MirrorEntry[] = [];
    for (const { device, mm, dmirror } of this.files) {
      dmirror.pt.forEach((vpn, pfn, tag) => {
        const write = (tag & DPT_XA_TAG_WRITE) !== 0;
        entries.push({ device, mm, vpn, pfn, write, atomic: (tag & DPT_XA_TAG_ATOMIC) !== 0 });
      });
    }
    return entries;
  }

  /** The open files: which device, of which process. */
  get mirrors(): readonly { readonly device: number; readonly mm: MmStruct }[] {
    return this.files;
  }

  /**
   * The entry for `vpn` in the table of file `index` of {@link mirrors}: -1 for none, else 4 * frame + 1 if the device may
   * write + 2 if it has the page for itself.
   */
  entryAt(index: number, vpn: number): number {
    const pt = this.files[index]?.dmirror.pt;
    const tag = pt?.tag(vpn) ?? 0;
    if (pt === undefined || tag === 0) return -1;
    return (
      4 * pt.pfn(vpn) + ((tag & DPT_XA_TAG_WRITE) !== 0 ? 1 : 0) + ((tag & DPT_XA_TAG_ATOMIC) !== 0 ? 2 : 0)
    );
  }

  /** The first of the devices' invariants that is broken, while no operation is under way. */
  checkAtRest(): { readonly invariant: string; readonly detail: string } | undefined {
    const entries = mirrorEntries(this.device);
    for (const [invariant, broken] of INVARIANTS) {
      const detail = broken(this.device, entries);
      if (detail !== undefined) return { invariant, detail };
    }
    return undefined;
  }

  private find(device: number, mm: MmStruct): OpenFile | undefined {
    return this.files.find((file) => file.device === device && file.mm === mm);
  }

  /** The kept buffer if nobody else can run meanwhile, else a new one. */
  userBuffer(bytes: number): Uint8Array {
    if (this.device.kernel.sched.agents.length > 1) return new Uint8Array(bytes);
    if (this.buffer.length < bytes) this.buffer = new Uint8Array(bytes);
    return this.buffer.subarray(0, bytes);
  }
}

/** A test device as a process has it open, one of several. */
class MirrorProcess extends TestDeviceProcess {
  private readonly owner: MirrorOperations;
  private readonly file: OpenFile;

  constructor(owner: MirrorOperations, file: OpenFile) {
    super(owner.device.kernel, file.dmirror, { toDevice: 0, toHost: 0 }, { faults: 0, accesses: 0 });
    this.owner = owner;
    this.file = file;
  }

  /** @inheritdoc */
  override *close(): Task {
    yield* this.owner.close(this.file.device, this.file.mm);
  }

  protected override userBuffer(bytes: number): Uint8Array {
    return this.owner.userBuffer(bytes);
  }

  protected override ioctl(request: number, vpn: number, npages: number, ptr: Uint8Array): Task<IoctlResult> {
    return this.owner.ioctl(this.file, request, vpn, npages, ptr);
  }
}

/** Device memory of each of the four devices of a litmus test, pages. */
const LITMUS_CHUNK_PAGES = 16;

/**
 * The devices of litmus tests: small ones, of which `corrected = 1` makes such as are free of the real one's races. A
 * `MirrorDevicesFactory` of `@hmm/explore`.
 */
export const litmusDevices = {
  /** The settings that they read. */
  settingNames: (): readonly string[] => ['corrected'],
  /** @throws HmmError `SETTING` unless `corrected` is 0 or 1. */
  create(system: MemorySystem, settings: ReadonlyMap<string, string>): MirrorOperations {
    const corrected = settings.get('corrected') ?? '0';
    if (corrected !== '0' && corrected !== '1')
      throw new HmmError('SETTING', `corrected is 0 or 1, not ${corrected}`, { key: 'corrected' });
    const options = { chunkPages: LITMUS_CHUNK_PAGES, maxTables: 64, corrected: corrected === '1' };
    return new MirrorOperations(system, options);
  },
};
