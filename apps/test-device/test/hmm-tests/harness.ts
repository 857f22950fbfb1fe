import { Kernel, type Task, type Release } from '@hmm/kernel';
import {
  cpuRead,
  cpuWrite,
  dupMm,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MADV_HUGEPAGE,
  MemorySystem,
  mmCreate,
  mmput,
  type MmStruct,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  sysMadvise,
  sysMmap,
  sysMprotect,
  sysMunmap,
} from '@hmm/mm';
import { addressSpacePut, shmemFileSetup, type AddressSpace } from '@hmm/mm/internal';
import { dmirrorFopsRelease, dmirrorIoctl, type Dmirror, TestDevice } from '@hmm/test-device';

export { PROT_NONE, PROT_READ, MAP_PRIVATE, MAP_SHARED };
export const RW = PROT_READ | PROT_WRITE;

export const PAGE_SIZE = 4096;
/** Pages of the tests' buffers: 4 MiB. */
export const NPAGES = 1024;
/** Pages of 2 MiB. */
export const TWOMEG = 512;
export const NTIMES = 10;

/** The two kinds of device memory, each with the devices of the `hmm` and the `hmm2` fixture. */
export const KINDS = [
  { variant: 'hmm_device_private', coherent: false, device: 0, device0: 0, device1: 1 },
  { variant: 'hmm_device_coherent', coherent: true, device: 2, device0: 2, device1: 3 },
] as const;

/** Both kinds of memory on each release that was recorded. */
export const VARIANTS = (['6.12', '7.3'] as const).flatMap((release) =>
  KINDS.map((kind) => ({ ...kind, release })),
);

/** What an ioctl gave: `cpages` and `faults` keep their old values (-1) on an error, as in the kernel. */
export interface CmdResult {
  readonly rc: number;
  readonly cpages: number;
  readonly faults: number;
}

/** The value of word `i`, as the tests fill their buffers. */
export type Word = (i: number) => number;
export const same: Word = (i) => i;
export const negative: Word = (i) => -i;

const words = (pages: number, value: Word): Int32Array => {
  const array = new Int32Array((pages * PAGE_SIZE) / 4);
  for (let i = 0; i < array.length; i++) array[i] = value(i);
  return array;
};

const bytesOf = (array: Int32Array): Uint8Array => new Uint8Array(array.buffer);

/** A user buffer outside the mirrored range: `buffer->mirror`. */
export const mirrorOf = (pages: number, value: Word = () => 0): Uint8Array => bytesOf(words(pages, value));

/** Index of the first word that differs, -1 when none does. */
export function firstDifference(bytes: Uint8Array, value: Word): number {
  const array = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  for (let i = 0; i < array.length; i++) if (array[i] !== (value(i) | 0)) return i;
  return -1;
}

/** A process under test. */
export class TestProcess {
  readonly machine: TestMachine;
  readonly mm: MmStruct;

  constructor(machine: TestMachine, mm: MmStruct) {
    this.machine = machine;
    this.mm = mm;
  }

  run<T>(task: Task<T>): T {
    return this.machine.kernel.sched.runSync(task);
  }

  /** Opens a device. */
  open(minor: number): Dmirror {
    const fd = this.run(this.machine.driver.open(minor, this.mm));
    if (typeof fd === 'number') throw new Error(`open: ${fd}`);
    return fd;
  }

  close(fd: Dmirror): void {
    this.run(dmirrorFopsRelease(fd));
  }

  /** `hmm_dmirror_cmd`. */
  cmd(fd: Dmirror, request: number, page: number, npages: number, ptr: Uint8Array): CmdResult {
    const cmd = { addr: page * PAGE_SIZE, ptr, npages, cpages: -1, faults: -1 };
    const rc = this.run(dmirrorIoctl(fd, request, cmd));
    return { rc, cpages: cmd.cpages, faults: cmd.faults };
  }

  /** Maps anonymous memory; the page of its start. */
  map(pages: number, prot = RW, flags = MAP_PRIVATE): number {
    const page = this.run(sysMmap(this.mm, 0, pages, prot, flags | MAP_ANONYMOUS));
    if (page < 0) throw new Error(`mmap: ${page}`);
    return page;
  }

  /** Maps a file. */
  mapFile(file: AddressSpace, pages: number, prot: number, flags: number): number {
    const page = this.run(sysMmap(this.mm, 0, pages, prot, flags, { file }));
    if (page < 0) throw new Error(`mmap: ${page}`);
    return page;
  }

  /** Twice `pages` mapped, and the aligned `pages` in the middle advised huge: what the huge-page tests use. */
  mapHuge(pages = TWOMEG, prot = RW, advice = MADV_HUGEPAGE): number {
    const start = this.map(2 * pages, prot);
    const aligned = Math.ceil(start / pages) * pages;
    this.madvise(aligned, pages, advice);
    return aligned;
  }

  unmap(page: number, pages: number): number {
    return this.run(sysMunmap(this.mm, page, pages));
  }

  protect(page: number, pages: number, prot: number): number {
    return this.run(sysMprotect(this.mm, page, pages, prot));
  }

  madvise(page: number, pages: number, advice: number): number {
    return this.run(sysMadvise(this.mm, page, pages, advice));
  }

  /** The CPU stores words. Fails the test if it faults. */
  fill(page: number, pages: number, value: Word): void {
    const bytes = bytesOf(words(pages, value));
    if (this.run(cpuWrite(this.mm, page, 0, bytes)) !== bytes.length)
      throw new Error('a store raised a signal');
  }

  /** The CPU stores one word. */
  store(page: number, value: number): void {
    this.run(cpuWrite(this.mm, page, 0, bytesOf(new Int32Array([value]))));
  }

  /** The CPU reads one word. */
  load(page: number): number {
    const bytes = new Uint8Array(4);
    if (this.run(cpuRead(this.mm, page, 0, bytes)) !== 4) throw new Error('a load raised a signal');
    return new Int32Array(bytes.buffer)[0] ?? 0;
  }

  /** Index of the first word the CPU reads that is not as it should be, -1 when all are. */
  check(page: number, pages: number, value: Word): number {
    const bytes = new Uint8Array(pages * PAGE_SIZE);
    if (this.run(cpuRead(this.mm, page, 0, bytes)) !== bytes.length)
      throw new Error('a load raised a signal');
    return firstDifference(bytes, value);
  }

  /** Each word is read, compared with its index and incremented, as the exclusive tests do. */
  increment(page: number, pages: number): number {
    const different = this.check(page, pages, same);
    this.fill(page, pages, (i) => i + 1);
    return different;
  }

  fork(): TestProcess {
    const mm = this.run(dupMm(this.mm));
    if (typeof mm === 'number') throw new Error(`fork: ${mm}`);
    return new TestProcess(this.machine, mm);
  }

  /** The process ends, by itself or by a signal. */
  exit(): void {
    this.run(mmput(this.mm));
  }
}

/** A machine with the driver loaded, and the process that runs the test. */
export class TestMachine {
  readonly kernel: Kernel;
  readonly system: MemorySystem;
  readonly driver: TestDevice;
  readonly process: TestProcess;

  constructor(release: Release = '6.12') {
    this.kernel = new Kernel({ release });
    this.system = new MemorySystem(this.kernel, {
      frames: 65_536 + 8 * 16_384,
      systemFrames: 65_536,
      maxTables: 1024,
      swapSlots: 256,
      nrHugepages: 2,
    });
    this.driver = new TestDevice(this.system, { chunkPages: 8192, maxTables: 512 });
    this.process = new TestProcess(this, mmCreate(this.system));
  }

  /** A file of `pages` pages whose words are their index. */
  file(pages: number, value: Word = same): AddressSpace {
    const file = shmemFileSetup(this.system, pages);
    if (file === null) throw new Error('no file');
    const writer = new TestProcess(this, mmCreate(this.system));
    const page = writer.mapFile(file, pages, RW, MAP_SHARED);
    writer.fill(page, pages, value);
    writer.exit();
    return file;
  }

  /** Index of the first word of a file that is not as it should be, as read by another process. */
  checkFile(file: AddressSpace, pages: number, value: Word): number {
    const reader = new TestProcess(this, mmCreate(this.system));
    const page = reader.mapFile(file, pages, PROT_READ, MAP_SHARED);
    const different = reader.check(page, pages, value);
    reader.exit();
    return different;
  }

  /** Drops the test's own hold on a file. */
  closeFile(file: AddressSpace): void {
    addressSpacePut(this.system, file);
  }
}
