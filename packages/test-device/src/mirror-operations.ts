import { ENODEV, type Task } from '@hmm/kernel';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { DPT_XA_TAG_ATOMIC, DPT_XA_TAG_WRITE } from './device-table.js';
import { type Dmirror, dmirrorFopsRelease } from './dmirror.js';
import { dmirrorIoctl } from './ioctl.js';
import { TestDevice, type TestDeviceOptions } from './test-device.js';
import {
  HMM_DMIRROR_CHECK_EXCLUSIVE,
  HMM_DMIRROR_EXCLUSIVE,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_RELEASE,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
} from './uapi.js';

const PAGE_SIZE = 4096;

const REQUESTS = {
  dread: HMM_DMIRROR_READ,
  dwrite: HMM_DMIRROR_WRITE,
  todev: HMM_DMIRROR_MIGRATE_TO_DEV,
  tosys: HMM_DMIRROR_MIGRATE_TO_SYS,
  snap: HMM_DMIRROR_SNAPSHOT,
  excl: HMM_DMIRROR_EXCLUSIVE,
  chkexcl: HMM_DMIRROR_CHECK_EXCLUSIVE,
  drelease: HMM_DMIRROR_RELEASE,
} as const;

/** The ioctls by the names that the recordings give them. */
export type MirrorCall = keyof typeof REQUESTS;

/** What an ioctl returned: see {@link MirrorOperations.call}. */
export interface MirrorReply {
  /** 0 or a negative errno. */
  readonly rc: number;
  /** Pages migrated. */
  readonly cpages: number;
  /** Byte 0 of each page read, or the status byte of each page of a snapshot; empty where nothing is returned. */
  readonly values: readonly number[];
}

/**
 * The test devices with the files that processes have open on them, and the ioctls with values by page in place of
 * buffers. @kernel tools/testing/selftests/mm/hmm-tests.c hmm_dmirror_cmd
 */
export class MirrorOperations {
  readonly device: TestDevice;
  /** From here all state of the devices can be reached. */
  readonly roots: readonly object[];
  private readonly files: { readonly minor: number; readonly mm: MmStruct; readonly mirror: Dmirror }[] = [];

  constructor(system: MemorySystem, options: TestDeviceOptions) {
    this.device = new TestDevice(system, options);
    this.roots = [this.device, this.files];
  }

  /** Opens device `minor` for `mm`. @returns 0 or a negative errno. */
  *open(minor: number, mm: MmStruct): Task<number> {
    const mirror = yield* this.device.open(minor, mm);
    if (typeof mirror === 'number') return mirror;
    this.files.push({ minor, mm, mirror });
    return 0;
  }

  /** Closes the file that `mm` has open on device `minor`. @returns 0, or `-ENODEV` when there is none. */
  *close(minor: number, mm: MmStruct): Task<number> {
    const at = this.files.findIndex((file) => file.minor === minor && file.mm === mm);
    const file = this.files[at];
    if (file === undefined) return -ENODEV;
    this.files.splice(at, 1);
    yield* dmirrorFopsRelease(file.mirror);
    return 0;
  }

  /**
   * An ioctl over `pages` pages from page `vpn` on, through the file that `mm` has open on device `minor`; `-ENODEV` when
   * there is none. @param value what a `dwrite` fills page i with, plus i.
   */
  *call(
    minor: number,
    mm: MmStruct,
    call: MirrorCall,
    vpn: number,
    pages: number,
    value: number,
  ): Task<MirrorReply> {
    const file = this.files.find((each) => each.minor === minor && each.mm === mm);
    if (file === undefined) return { rc: -ENODEV, cpages: 0, values: [] };
    const snapshot = call === 'snap';
    const ptr = new Uint8Array(snapshot ? pages : pages * PAGE_SIZE);
    if (call === 'dwrite') {
      for (let i = 0; i < pages; i++) ptr.fill(value + i, i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
    }
    const cmd = { addr: vpn * PAGE_SIZE, ptr, npages: pages, cpages: 0, faults: 0 };
    const rc = yield* dmirrorIoctl(file.mirror, REQUESTS[call], cmd);
    const returns = snapshot || call === 'dread' || call === 'todev' || call === 'excl';
    const values: number[] = [];
    for (let i = 0; rc === 0 && returns && i < pages; i++)
      values.push(ptr[snapshot ? i : i * PAGE_SIZE] ?? 0);
    return { rc, cpages: cmd.cpages, values };
  }

  /** All entries of all tables. */
  *entries(): Generator<{
    readonly device: number;
    readonly mm: MmStruct;
    readonly vpn: number;
    readonly pfn: number;
    readonly write: boolean;
    readonly atomic: boolean;
  }> {
    for (const { minor, mm, mirror } of this.files) {
      const found: [number, number, number][] = [];
      mirror.pt.forEach((vpn, pfn, tag) => found.push([vpn, pfn, tag]));
      for (const [vpn, pfn, tag] of found) {
        const write = (tag & DPT_XA_TAG_WRITE) !== 0;
        yield { device: minor, mm, vpn, pfn, write, atomic: (tag & DPT_XA_TAG_ATOMIC) !== 0 };
      }
    }
  }
}
