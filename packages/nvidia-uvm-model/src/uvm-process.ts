import {
  type AccessStream,
  type AdviceKind,
  cpuResidency,
  type DeviceOperation,
  type DeviceOperationResult,
  type DeviceProcess,
  gpuOfPlace,
  type ManagedMemory,
  type Place,
  placeOfGpu,
  RES_CPU,
  RES_CPU_MAPPED,
  RES_DEVICE,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  type StreamResult,
} from '@hmm/device';
import { GPU_PTE_VALID, GPU_PTE_WRITE, gpuAccesses } from '@hmm/gpu';
import { EACCES, EINVAL, EIO, EOPNOTSUPP, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import { type UvmCpuResult, uvmCpuAccess } from './uvm-cpu-access.js';
import { uvmDeviceAlloc } from './uvm-device-alloc.js';
import { uvmDiscard } from './uvm-discard.js';
import { uvmAtsMigrateRange, uvmHmmMigrateRange } from './uvm-hmm-api.js';
import { launchKernel } from './uvm-launch.js';
import { uvmPinnedBytes, uvmPinPages, uvmUnpinPages } from './uvm-get-user-pages.js';
import { uvmMemcpy, uvmMemset } from './uvm-memcpy.js';
import { uvmMigrate } from './uvm-migrate.js';
import {
  uvmCpuMayTouch,
  uvmGiveManagedMemory,
  uvmKeepOnHost,
  type UvmManagedAccess,
  uvmTakeManagedMemory,
} from './uvm-managed-access.js';
import { maskTest } from './uvm-page-mask.js';
import {
  uvmDisableReadDuplication,
  uvmEnableReadDuplication,
  uvmSetAccessedBy,
  uvmSetPreferredLocation,
  uvmUnsetAccessedBy,
} from './uvm-policy.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_ID_INVALID,
  type UvmOptionalId,
  type UvmProcessorId,
  type UvmProcessorMask,
} from './uvm-types.js';
import type { UvmVaPolicy } from './uvm-va-policy.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import { uvmFork } from './uvm-fork.js';
import { uvmVmaCall, type UvmVmaCall } from './uvm-vma.js';

/** Managed memory of one process. */
export class UvmManagedMemory implements ManagedMemory {
  /** What of it is state. */
  static readonly state = declareState({
    space: 'constant',
    mm: 'constant',
    access: { outside: 'what the platform is' },
  });

  private readonly space: UvmVaSpace;
  private readonly mm: MmStruct | undefined;
  private readonly access: UvmManagedAccess;

  constructor(space: UvmVaSpace, mm?: MmStruct, access: UvmManagedAccess = 'concurrent') {
    this.space = space;
    this.mm = mm;
    this.access = access;
  }

  /** `cudaMallocManaged`: `bytes` bytes at page `vpn`. */
  *alloc(vpn: number, bytes: number): Task<number> {
    const { lock } = this.space;
    if (!lock.tryWriteFast()) yield* lock.write();
    const errno = this.space.alloc(vpn, bytes);
    lock.unlockWrite();
    const pages = this.space.allocation(vpn)?.pages ?? 0;
    if (errno !== 0 || this.access !== 'host') return errno;
    return yield* uvmKeepOnHost(this.space, vpn, pages);
  }

  /** `cudaFree`. */
  *free(vpn: number): Task<number> {
    const { lock } = this.space;
    if (!lock.tryWriteFast()) yield* lock.write();
    const errno = this.space.free(vpn);
    lock.unlockWrite();
    return errno;
  }

  /** CPU accesses; faults go to the driver. */
  *cpuAccess(stream: AccessStream): Task<StreamResult> {
    const write = stream.access > 1;
    const atomic = stream.access === 3;
    const { pages, source } = stream;
    let before = 0;
    let result: UvmCpuResult = { errno: 0, done: 0 };
    const taken = uvmCpuMayTouch(this.space);
    if (taken !== 0) return { errno: taken, done: 0, reason: 'a kernel has all managed memory (SIGSEGV)' };
    for (let count = pages.length; count > 0; count = source?.fill() ?? 0) {
      const piece = { ...stream, pages: pages.subarray(0, count), write, atomic };
      result = yield* uvmCpuAccess(this.space, piece);
      if (result.errno !== 0) break;
      before += count;
    }
    const reason = result.errno === 0 ? '' : signalOf(result.errno);
    const done = result.errno === 0 ? before : before + result.done;
    return { errno: result.errno, done, reason };
  }

  /** `munmap`, `mprotect` or `mremap` of a part; `protection` is `mprotect`'s. */
  *syscall(call: UvmVmaCall, vpn: number, pages: number, protection?: string): Task<number> {
    return yield* uvmVmaCall(this.space, call, vpn, pages, protection);
  }

  /** `cudaMalloc`: memory of a GPU by number, `bytes` bytes at page `vpn`. */
  *allocDevice(vpn: number, bytes: number, gpu = 0): Task<number> {
    const { driver, lock } = this.space;
    if (gpu >= driver.gpus.length) return -EINVAL;
    if (!lock.tryWriteFast()) yield* lock.write();
    const errno = yield* uvmDeviceAlloc(this.space, vpn, bytes, UVM_ID_GPU + gpu);
    lock.unlockWrite();
    return errno;
  }

  /** `cudaMemcpy` of whole pages. */
  copy(from: number, to: number, pages: number): Task<number> {
    return uvmMemcpy(this.space, this.mm, { from, to, pages });
  }

  /** `cudaMemset` of whole pages. */
  fill(vpn: number, pages: number, byte: number): Task<number> {
    return uvmMemset(this.space, vpn, pages, byte);
  }

  /** The kernel takes long-term pins for itself, on all pages or on none; the driver does not know. */
  pin(vpn: number, pages: number, write: boolean): Task<number> {
    return uvmPinPages(this.space, vpn, pages, write);
  }

  /** What the holders of pins read at byte 0 of these pages; -1 for a page without a pin. */
  pinned(vpn: number, pages: number): Task<readonly number[]> {
    return uvmPinnedBytes(this.space, vpn, pages);
  }

  /** The pins on these pages are dropped. */
  unpin(vpn: number, pages: number): Task<number> {
    return uvmUnpinPages(this.space, vpn, pages);
  }

  /** The process forks: it keeps what it has, the child gets none of it. */
  fork(): Task {
    return uvmFork(this.space);
  }
}

/** What a program sees of a CPU access that failed. */
function signalOf(errno: number): string {
  return errno === -EACCES
    ? 'the mapping does not allow it (SIGSEGV)'
    : 'no managed memory is there (SIGBUS)';
}

/** One process on the GPU. */
export class UvmProcess implements DeviceProcess {
  /** What of it is state. */
  static readonly state = declareState({
    space: 'constant',
    managed: 'constant',
    closed: 'value',
    access: { outside: 'what the platform is' },
  });

  readonly space: UvmVaSpace;
  readonly managed: UvmManagedMemory;
  private closed = false;
  private readonly access: UvmManagedAccess;

  constructor(space: UvmVaSpace, mm?: MmStruct, access: UvmManagedAccess = 'concurrent') {
    this.space = space;
    this.access = access;
    this.managed = new UvmManagedMemory(space, mm, access);
  }

  /** Runs a kernel to its end, or until one of its accesses is cancelled; then the context is dead. */
  *launch(stream: AccessStream): Task<StreamResult> {
    const dead = this.fatal();
    if (dead !== undefined) return { errno: -EIO, done: 0, reason: dead };
    const id = this.processorAt(placeOfGpu(stream.gpu ?? 0));
    if (id < 0) return { errno: -EINVAL, done: 0, reason: this.noGpu(stream.gpu ?? 0) };
    yield* uvmGiveManagedMemory(this.space, this.access);
    const kernel = yield* launchKernel(this.space, gpuAccesses(stream), id);
    uvmTakeManagedMemory(this.space, this.access);
    if (kernel.finished) return { errno: 0, done: kernel.done, reason: '' };
    // A kernel whose space was closed before its fault was served is cancelled too, without a reason of its own.
    const errno = kernel.cancelled >= 0 && this.space.fatalErrno !== 0 ? this.space.fatalErrno : -EIO;
    return { errno, done: kernel.done, reason: this.fatal() ?? 'the device was closed' };
  }

  /** `cudaMemPrefetchAsync` and a synchronise. */
  *prefetch(vpn: number, pages: number, to: Place): Task<number> {
    if (this.closed) return -EINVAL;
    if (this.isDeviceOnly(vpn)) return -EINVAL;
    const destination = this.processorAt(to);
    if (destination < 0) return -EINVAL;
    if (this.space.range(vpn) !== undefined) return yield* uvmMigrate(this.space, vpn, pages, destination);
    const { ats, hmm } = this.space;
    if (hmm === undefined) return -EINVAL;
    if (ats !== undefined) return yield* uvmAtsMigrateRange(ats, hmm, vpn, pages, destination);
    return yield* uvmHmmMigrateRange(hmm, vpn, pages, destination);
  }

  /** `cudaMemAdvise`. */
  *advise(vpn: number, pages: number, advice: AdviceKind, place: Place): Task<number> {
    if (this.closed || this.isDeviceOnly(vpn)) return -EINVAL;
    const id = this.processorAt(place);
    const { space } = this;
    if (id < 0) return -EINVAL;
    if (space.range(vpn) === undefined) return this.adviseSystem(vpn, pages, advice, id);
    switch (advice) {
      case 'preferred':
        return yield* uvmSetPreferredLocation(space, vpn, pages, id);
      case 'unset_preferred':
        return yield* uvmSetPreferredLocation(space, vpn, pages, UVM_ID_INVALID);
      case 'accessed_by':
        return yield* uvmSetAccessedBy(space, vpn, pages, id);
      case 'unset_accessed_by':
        return yield* uvmUnsetAccessedBy(space, vpn, pages, id);
      case 'read_mostly':
        return yield* uvmEnableReadDuplication(space, vpn, pages);
      case 'unset_read_mostly':
        return yield* uvmDisableReadDuplication(space, vpn, pages);
    }
  }

  /**
   * `cudaMemDiscardBatchAsync`, which unmaps the pages (`discard_unmap`), and a discard that leaves them mapped, for a move to follow
   * (`discard`); the driver has no further calls.
   */
  *operation({ name, vpn, pages }: DeviceOperation): Task<DeviceOperationResult> {
    const known = name === 'discard' || name === 'discard_unmap';
    const failed = known ? -EINVAL : -EOPNOTSUPP;
    if (!known || this.closed || this.isDeviceOnly(vpn))
      return { rc: failed, cpages: 0, faults: 0, values: [] };
    const rc = yield* uvmDiscard(this.space, vpn, pages, name === 'discard_unmap');
    return { rc, cpages: 0, faults: 0, values: [] };
  }

  /** Where each page is, and who maps it: `RES_*` bits, one byte a page. */
  residency(vpn: number, pages: number, out: Uint8Array): void {
    for (let i = 0; i < pages; i++) out[i] = this.residencyOf(vpn + i);
  }

  /** Who has the data of each page, a bit per processor. */
  holders(vpn: number, pages: number, out: Uint32Array): void {
    for (let i = 0; i < pages; i++) out[i] = this.holdersOf(vpn + i);
  }

  /** Why nothing more can run: the context was lost. */
  fatal(): string | undefined {
    if (this.space.fatal !== undefined) return this.space.fatal;
    return this.closed ? 'the device was closed' : undefined;
  }

  /** Closes the device file: kernels end, data in device memory goes home, managed memory is freed. */
  *close(): Task {
    if (this.closed) return;
    this.closed = true;
    yield* this.space.driver.closeVaSpace(this.space);
  }

  /** `cudaMalloc` gave the page: it is not for advice and moves. */
  private isDeviceOnly(vpn: number): boolean {
    return this.space.range(vpn)?.deviceOnly === true;
  }

  /** The processor at a place; {@link UVM_ID_INVALID} for a GPU that is not there. */
  private processorAt(place: Place): UvmOptionalId {
    const id = gpuOfPlace(place) + UVM_ID_GPU;
    return id < this.space.driver.links.processors ? id : UVM_ID_INVALID;
  }

  private noGpu(number: number): string {
    return `there is no GPU ${number}: the driver has ${this.space.driver.gpus.length}`;
  }

  private adviseSystem(vpn: number, pages: number, advice: AdviceKind, id: UvmProcessorId): number {
    const { hmm } = this.space;
    if (hmm === undefined) return -EINVAL;
    if (this.space.ats !== undefined) return 0;
    hmm.changePolicy(vpn, vpn + pages, (policy) => {
      changePolicy(policy, advice, id);
    });
    return 0;
  }

  private systemResidency(vpn: number, bits: number): number {
    const { ats, hmm } = this.space;
    if (ats !== undefined) return ats.residency(vpn);
    return hmm === undefined ? bits : bits | cpuResidency(hmm.mm, vpn);
  }

  private holdersOf(vpn: number): UvmProcessorMask {
    const block = this.space.range(vpn)?.findBlock(vpn);
    if (block === undefined) return this.space.hmm?.holders(vpn) ?? 0;
    let holders = 0;
    for (let id = UVM_ID_CPU; id < block.processorCount; id++)
      if (maskTest(block.masks(id).resident, vpn - block.start)) holders |= 1 << id;
    return holders;
  }

  private residencyOf(vpn: number): number {
    let bits = 0;
    for (const { id } of this.space.driver.gpus) {
      const flags = this.space.instanceOn(id).table.flags(vpn);
      if ((flags & GPU_PTE_VALID) !== 0) bits |= RES_DEVICE_MAPPED;
      if ((flags & GPU_PTE_WRITE) !== 0) bits |= RES_DEVICE_WRITE;
    }
    const block = this.space.range(vpn)?.findBlock(vpn);
    if (block === undefined) return this.systemResidency(vpn, bits);
    const page = vpn - block.start;
    if (maskTest(block.cpu.resident, page)) bits |= RES_CPU;
    for (let id = UVM_ID_GPU; id < block.processorCount; id++)
      if (maskTest(block.masks(id).resident, page)) bits |= RES_DEVICE;
    if (maskTest(block.cpu.read, page)) bits |= RES_CPU_MAPPED;
    return bits;
  }
}

/** Advice on system memory: policy nodes. Read duplication is taken and has no effect there. */
function changePolicy(policy: UvmVaPolicy, advice: AdviceKind, id: UvmProcessorId): void {
  if (advice === 'preferred') policy.preferredLocation = id;
  else if (advice === 'unset_preferred') policy.preferredLocation = UVM_ID_INVALID;
  else if (advice === 'accessed_by') policy.accessedBy |= 1 << id;
  else if (advice === 'unset_accessed_by') policy.accessedBy &= ~(1 << id);
}
