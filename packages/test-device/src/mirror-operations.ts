import { EBUSY, ENODEV, type Task } from '@hmm/kernel';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { DPT_XA_TAG_ATOMIC, DPT_XA_TAG_WRITE } from './device-table.js';
import { dmirrorFopsRelease, type Dmirror } from './dmirror.js';
import { mirrorEntries, testDeviceInvariants } from './invariants.js';
import { dmirrorIoctl } from './ioctl.js';
import { TestDevice, type TestDeviceOptions } from './test-device.js';
import { TEST_DEVICE_NAMING } from './test-device-naming.js';
import {
  HMM_DMIRROR_CHECK_EXCLUSIVE,
  HMM_DMIRROR_EXCLUSIVE,
  HMM_DMIRROR_FLAGS,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_READ_UNLOCKED,
  HMM_DMIRROR_RELEASE,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
  type HmmDmirrorCmd,
} from './uapi.js';

/** The device's ioctls by the words of scripts and litmus tests. */
export type MirrorCall =
  'dread' | 'dwrite' | 'todev' | 'tosys' | 'snap' | 'excl' | 'chkexcl' | 'drelease' | 'dflags' | 'dreadu';

/** What an operation on a device returned. */
export interface MirrorReply {
  /** 0 or a negative errno. */
  readonly rc: number;
  /** As the ioctl returned them; 0 where it failed. */
  readonly cpages: number;
  readonly faults: number;
  /** A value a page: byte 0 of what was read, or the status byte of a snapshot; empty for what returns none, or failed. */
  readonly values: readonly number[];
}

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

const PAGE_SIZE = 4096;

const REQUESTS: Readonly<Record<MirrorCall, number>> = {
  dread: HMM_DMIRROR_READ,
  dwrite: HMM_DMIRROR_WRITE,
  todev: HMM_DMIRROR_MIGRATE_TO_DEV,
  tosys: HMM_DMIRROR_MIGRATE_TO_SYS,
  snap: HMM_DMIRROR_SNAPSHOT,
  excl: HMM_DMIRROR_EXCLUSIVE,
  chkexcl: HMM_DMIRROR_CHECK_EXCLUSIVE,
  drelease: HMM_DMIRROR_RELEASE,
  dflags: HMM_DMIRROR_FLAGS,
  dreadu: HMM_DMIRROR_READ_UNLOCKED,
};

/** What returns data: byte 0 of each page is its value. */
const DATA: ReadonlySet<MirrorCall> = new Set(['dread', 'dreadu', 'todev', 'excl']);

const INVARIANTS = Object.entries(testDeviceInvariants);

/** One open file. */
interface OpenFile {
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
  /** Under which names the driver knows its functions. */
  readonly naming = TEST_DEVICE_NAMING;
  readonly device: TestDevice;
  /** Objects from which all state of the devices can be reached. */
  readonly roots: readonly object[];
  private readonly files: OpenFile[] = [];
  /** Closed, and not released yet. */
  private readonly closing: OpenFile[] = [];
  /** Under which the files are observed. */
  private readonly filesObject: number;
  private buffer = new Uint8Array(0);

  constructor(system: MemorySystem, options: TestDeviceOptions = {}) {
    this.device = new TestDevice(system, options);
    this.filesObject = system.kernel.allocIds(1);
    this.roots = [this.device, this.files, this.closing];
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

  /** Closes it again; calls that are under way keep it until they return. 0, or `-ENODEV` where it is not open. */
  *close(device: number, mm: MmStruct): Task<number> {
    this.accessFiles(true);
    const file = this.find(device, mm);
    if (file === undefined) return -ENODEV;
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

  /** Closes all that a process that ended had open, in the order in which it opened them. */
  *closeAll(mm: MmStruct): Task {
    for (const file of this.files.filter((open) => open.mm === mm)) yield* this.close(file.device, mm);
  }

  /** Runs an operation over `pages` pages from `vpn` on; `dwrite` fills page i with `value + i` (modulo 256). */
  *call(
    device: number,
    mm: MmStruct,
    call: MirrorCall,
    vpn: number,
    pages: number,
    value: number,
  ): Task<MirrorReply> {
    this.accessFiles(false);
    const file = this.find(device, mm);
    if (file === undefined) return { rc: -ENODEV, cpages: 0, faults: 0, values: [] };
    file.users++;
    const ptr = this.userBuffer(pages);
    if (call === 'dwrite') {
      for (let i = 0; i < pages; i++) ptr.fill(value + i, i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
    }
    const cmd: HmmDmirrorCmd = { addr: vpn * PAGE_SIZE, ptr, npages: pages, cpages: 0, faults: 0 };
    const rc = yield* dmirrorIoctl(file.dmirror, REQUESTS[call], cmd);
    yield* this.put(file);
    const values = rc === 0 ? valuesOf(call, ptr, pages) : [];
    return { rc, cpages: cmd.cpages, faults: cmd.faults, values };
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

  /**
   * Calls `fold` with all of the devices' state between two operations, as numbers; `name` gives frames their names there.
   */
  foldState(fold: (word: number) => void, name: (pfn: number) => number): void {
    for (const file of [...this.files, ...this.closing]) {
      const { device, mm, dmirror } = file;
      fold(-file.users);
      fold(device);
      fold(mm.id);
      fold(dmirror.id);
      fold(dmirror.flags);
      dmirror.pt.forEach((vpn, pfn, tag) => {
        fold(vpn | 0);
        fold(Math.floor(vpn / 2 ** 32));
        fold(name(pfn));
        fold(tag);
      });
    }
    for (const device of this.device.devices) device.foldState(fold, name);
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
  private userBuffer(pages: number): Uint8Array {
    const bytes = pages * PAGE_SIZE;
    if (this.device.kernel.sched.agents.length > 1) return new Uint8Array(bytes);
    if (this.buffer.length < bytes) this.buffer = new Uint8Array(bytes);
    return this.buffer.subarray(0, bytes);
  }
}

/** Device memory of each of the four devices of a litmus test, pages. */
const LITMUS_CHUNK_PAGES = 16;

/**
 * The devices of litmus tests: small ones, of which `corrected = 1` makes such as are free of the real one's races. A
 * `MirrorDevicesFactory` of `@hmm/explore`.
 */
export function litmusDevices(system: MemorySystem, settings: ReadonlyMap<string, string>): MirrorOperations {
  const corrected = settings.get('corrected') === '1';
  return new MirrorOperations(system, { chunkPages: LITMUS_CHUNK_PAGES, maxTables: 64, corrected });
}

function valuesOf(call: MirrorCall, ptr: Uint8Array, pages: number): number[] {
  if (call === 'snap') return [...ptr.subarray(0, pages)];
  const values: number[] = [];
  if (DATA.has(call)) for (let i = 0; i < pages; i++) values.push(ptr[i * PAGE_SIZE] ?? 0);
  return values;
}
