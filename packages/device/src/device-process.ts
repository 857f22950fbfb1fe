import type { Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { AccessStream, StreamResult } from './access-stream.js';
import type { AdviceKind, Place } from './device-features.js';
import type { DeviceOperation, DeviceOperationResult } from './device-operation.js';

/** One process on one device. */
export interface DeviceProcess {
  /** Memory that the driver itself allocates; undefined where it has no such thing. */
  readonly managed: ManagedMemory | undefined;
  /**
   * Runs a kernel's accesses on the device, to their end or to the first failure; faults are served on the way by
   * {@link DeviceClient.workers} or here. Concurrent kernels are several tasks. After {@link DeviceProcess.close}
   * (also in the middle) it ends with `-EIO`.
   */
  launch(stream: AccessStream): Task<StreamResult>;
  /**
   * Moves a range, by the call that the driver has for it, and waits until it is done. Best effort:
   * pages that cannot move stay, without an error, where the real driver is silent too.
   */
  prefetch(vpn: number, pages: number, to: Place): Task<number>;
  /** Records advice about a range; `-EOPNOTSUPP` where the driver has no such advice. */
  advise(vpn: number, pages: number, advice: AdviceKind, place: Place): Task<number>;
  /** A call of the driver's own (see {@link DeviceFeatures.operations}), by name. */
  operation(call: DeviceOperation): Task<DeviceOperationResult>;
  /** Fills `out[0, pages)` with `RES_*` bits: for maps and tests, without side effects. */
  residency(vpn: number, pages: number, out: Uint8Array): void;
  /**
   * Fills `out[0, pages)` with who has the data of each page, a bit each: bit 0 the host, bit `1 + n` GPU `n` of this device. Of memory
   * of the process a GPU of another device is not among them. Absent where the device has one GPU and nobody need ask.
   */
  holders?(vpn: number, pages: number, out: Uint32Array): void;
  /**
   * What the device's page table has for a page, for checks: -1 for nothing, else 4 * the frame whose contents the device uses, + 1 where it
   * may write. Without side effects. Absent where the driver does not say.
   */
  entryAt?(vpn: number): number;
  /** Why the process can run nothing more (a killed channel, a lost context); undefined while it can. */
  fatal(): string | undefined;
  /**
   * The device as the child with address space `mm` has it, which was forked with the file open. Its calls are about its own
   * memory; what is made for the file stays until the last process has closed it. Absent where the driver refuses that.
   */
  inherit?(mm: MmStruct): DeviceProcess;
  /**
   * Closes the device in this process: running kernels end with `-EIO`, data in device memory goes home, managed
   * memory is freed. May come at any moment; a second call does nothing.
   */
  close(): Task;
}

/** Memory that the driver allocates and whose CPU faults it serves (`cudaMallocManaged`). */
export interface ManagedMemory {
  /**
   * Allocates `bytes` at page `vpn`. The caller (the machine) chooses addresses: `vpn` is a multiple of 512 and the
   * 2 MiB that hold the last byte are all this allocation's. Returns 0 or a negative errno.
   */
  alloc(vpn: number, bytes: number): Task<number>;
  /** Frees the allocation that starts at `vpn`; `-EINVAL` where none does. */
  free(vpn: number): Task<number>;
  /** What a CPU thread does to managed memory: faults go to the driver. Always serial. */
  cpuAccess(stream: AccessStream): Task<StreamResult>;
  /**
   * A system call that changes a part of it; `protection` is what `mprotect` asks for. Absent where the driver's memory can
   * only be freed whole. Returns 0 or a negative errno.
   */
  syscall?(
    call: 'munmap' | 'mprotect' | 'mremap',
    vpn: number,
    pages: number,
    protection?: string,
  ): Task<number>;
  /**
   * Memory of one GPU of the device, the first without `gpu`, that nothing evicts and no CPU reaches (`cudaMalloc`), placed as by
   * {@link ManagedMemory.alloc} and freed as that.
   */
  allocDevice?(vpn: number, bytes: number, gpu?: number): Task<number>;
  /**
   * Copies whole pages, of which at least one side is this memory; the other may be memory of the process (`cudaMemcpy`, and waits
   * for it).
   */
  copy?(from: number, to: number, pages: number): Task<number>;
  /** Makes each byte of whole pages `byte` (`cudaMemset`, and waits for it). */
  fill?(vpn: number, pages: number, byte: number): Task<number>;
  /** The kernel takes long-term pins on all pages, or on none. Absent where pages of the driver cannot be pinned. */
  pin?(vpn: number, pages: number, write: boolean): Task<number>;
  /** Drops the pins of these pages; `-EINVAL` where there are none. */
  unpin?(vpn: number, pages: number): Task<number>;
  /** What the holders of pins read at byte 0 of these pages; -1 for a page without a pin. */
  pinned?(vpn: number, pages: number): Task<readonly number[]>;
  /** The process forks: it keeps what it has, and the child's accesses raise SIGBUS. */
  fork(): Task;
}
