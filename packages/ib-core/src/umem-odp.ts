import {
  EFAULT,
  EINVAL,
  EOVERFLOW,
  type Kernel,
  Mutex,
  PAGE_SHIFT,
  PAGE_SIZE,
  SP_PREEMPT,
  type Task,
} from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  type MmuIntervalNotifierOps,
  mmuIntervalNotifierRemove,
} from '@hmm/mmu-notifier';
import { HMM_PFN_LANES, hmmDmaMapAlloc, type DmaDevice, type HmmDmaMap, type HmmRange } from '@hmm/mirror';
import { type MmStruct } from '@hmm/mm';
import type { ClientExploration } from '@hmm/device/internal';
import { mmgetNotZero } from '@hmm/mm/internal';
import { IB_ACCESS_HUGETLB, IB_ACCESS_ON_DEMAND, IB_ACCESS_WRITABLE } from '@hmm/rdma-nic';
import type { BrokenRules } from './broken-rules.js';
import type { MmputQueue } from './mmput-async.js';
import type { OdpSwitches } from './switches.js';
import { ibUmemOdpUnmapDmaPages } from './unmap-dma.js';

/** Log2 of a huge page. @kernel arch/x86/include/asm/page_types.h HPAGE_SHIFT */
export const HPAGE_SHIFT = 21;

/** What a region needs to know of the adapter that it is for. */
export interface IbDevice {
  readonly kernel: Kernel;
  /** Where the last users of address spaces go. */
  readonly exits: MmputQueue;
  readonly dma: DmaDevice;
  readonly odp: OdpSwitches;
  /** Counts of all its regions, where anybody wants them. */
  readonly counts?: OdpCounts;
  /** Where what is broken is told, where anybody looks. */
  readonly broken?: BrokenRules;
  /** Given where all interleavings are explored. */
  readonly exploration?: ClientExploration | undefined;
}

/** What the regions of a device have done. */
export interface OdpCounts {
  /** Pages that faults have brought. */
  mapped: number;
  /** Walks that were overtaken. */
  retries: number;
  /** Callbacks that had something to do. */
  invalidations: number;
}

/** A device for which DMA needs nothing: soft-RoCE, or no IOMMU. */
export const DIRECT_DMA: DmaDevice = {
  needSync: false,
  needUnmap: false,
  p2pdma: () => 'none',
  mapPage: (pfn) => pfn * PAGE_SIZE,
  unmapPage: () => undefined,
};

/**
 * A registered range whose pages come when they are touched: a long-lived interval notifier, and a list of the frames
 * that the CPU's page tables named last. It holds no page. @kernel include/rdma/ib_umem_odp.h ib_umem_odp
 */
export class IbUmemOdp {
  /** What of it is state. */
  static readonly state = declareState({
    device: 'constant',
    address: 'constant',
    length: 'constant',
    writable: 'constant',
    owningMm: 'constant',
    pageShift: 'constant',
    isImplicitOdp: 'constant',
    start: 'constant',
    end: 'constant',
    startVpn: 'constant',
    private: 'value',
    umemMutex: 'constant',
    listObject: 'constant',
    notifier: 'value',
    map: 'value',
    npages: 'value',
    idleRange: { outside: 'written before it is read, by one walk' },
  });

  readonly device: IbDevice;
  /** First byte and bytes, as registered. */
  readonly address: number;
  readonly length: number;
  /** The registration's permission; nobody looks at VMAs. */
  readonly writable: boolean;
  /** The address space of the process that registered; only it counts. */
  readonly owningMm: MmStruct;
  /** Log2 of the unit that the device maps: {@link PAGE_SHIFT}, or {@link HPAGE_SHIFT} where the program promised huge pages. */
  readonly pageShift: number;
  /** The parent of children: no range, no list, no notifier. */
  readonly isImplicitOdp: boolean;
  /** First byte of the range, rounded to units. @kernel include/rdma/ib_umem_odp.h ib_umem_start (all) */
  readonly start: number;
  /** Byte behind the range, rounded to units. @kernel include/rdma/ib_umem_odp.h ib_umem_end (all) */
  readonly end: number;
  /** First page (VPN). */
  readonly startVpn: number;
  /** The driver's memory region; undefined before it is made and after it is revoked. */
  private: object | undefined = undefined;
  /** Guards the list as a programmed state, `npages`, and the device's entries; the callback takes it. */
  readonly umemMutex: Mutex;
  /** Under which the list is observed. */
  readonly listObject: number;
  /** From registration to release. */
  notifier: MmuIntervalNotifier | undefined = undefined;
  /** Flags and frame of each 4 KiB page; empty for a parent. */
  map: HmmDmaMap = EMPTY_MAP;
  /** Entries that are programmed in the device. */
  npages = 0;
  /** The range record of a walk that is not running. */
  idleRange: HmmRange | undefined = undefined;

  constructor(
    device: IbDevice,
    mm: MmStruct,
    address: number,
    length: number,
    writable: boolean,
    shape: UmemShape,
  ) {
    const { kernel } = mm;
    this.device = device;
    this.owningMm = mm;
    this.address = address;
    this.length = length;
    this.writable = writable;
    this.pageShift = shape.pageShift;
    this.isImplicitOdp = shape.implicit;
    const unit = 2 ** shape.pageShift;
    this.start = address - (address % unit);
    this.end = Math.ceil((address + length) / unit) * unit;
    this.startVpn = this.start / PAGE_SIZE;
    this.umemMutex = new Mutex(kernel.sched, kernel.allocIds(1), 'umem_odp.umem_mutex');
    this.listObject = kernel.allocIds(1);
  }

  /** 4 KiB pages of the rounded range. */
  get pages(): number {
    return this.map.nrEntries;
  }

  /** Units of the rounded range. @kernel include/rdma/ib_umem_odp.h ib_umem_odp_num_pages (all) */
  get numPages(): number {
    return (this.end - this.start) / 2 ** this.pageShift;
  }
}

interface UmemShape {
  readonly pageShift: number;
  readonly implicit: boolean;
}

const EMPTY_MAP: HmmDmaMap = { pfnList: new Int32Array(0), dmaList: undefined, nrEntries: 0 };

/**
 * Makes a region over [addr, addr + size) and subscribes to it; the notifier goes in last, and from then on callbacks
 * may come although the driver has not finished.
 * @returns the region, or `-EINVAL`, `-EOVERFLOW`, `-EOPNOTSUPP`, `-ENOMEM`.
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_get (without: allocations that fail, the process's
 * PID)
 */
export function* ibUmemOdpGet(
  device: IbDevice,
  mm: MmStruct,
  addr: number,
  size: number,
  access: number,
  ops: MmuIntervalNotifierOps,
): Task<IbUmemOdp | number> {
  if ((access & IB_ACCESS_ON_DEMAND) === 0) return -EINVAL;
  const pageShift = (access & IB_ACCESS_HUGETLB) !== 0 ? HPAGE_SHIFT : PAGE_SHIFT;
  const writable = (access & IB_ACCESS_WRITABLE) !== 0;
  const umem = new IbUmemOdp(device, mm, addr, size, writable, { pageShift, implicit: false });
  const ret = yield* initUmem(umem, ops);
  return ret === 0 ? umem : ret;
}

/**
 * List and notifier.
 * @kernel drivers/infiniband/core/umem_odp.c ib_init_umem_odp (without: allocations that fail)
 */
function* initUmem(umem: IbUmemOdp, ops: MmuIntervalNotifierOps): Task<number> {
  const { end, start, owningMm: mm } = umem;
  if (!Number.isSafeInteger(end)) return -EOVERFLOW;
  if (end <= start) return -EINVAL;
  const pages = (end - start) / PAGE_SIZE;
  const map = hmmDmaMapAlloc(umem.device.dma, pages);
  if (typeof map === 'number') return map;
  umem.map = map;
  const notifier = yield* mmuIntervalNotifierInsert(mm, umem.startVpn, pages, ops);
  if (typeof notifier === 'number') return notifier;
  umem.notifier = notifier;
  // Callbacks may come from here on, though the driver has no region yet.
  if (mm.kernel.sched.exploring) yield SP_PREEMPT;
  return 0;
}

/**
 * The parent of an implicit region, which has children where it has been used.
 * @returns the region, or `-EINVAL` for a promise of huge pages.
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_alloc_implicit (without: allocations that fail)
 */
export function ibUmemOdpAllocImplicit(device: IbDevice, mm: MmStruct, access: number): IbUmemOdp | number {
  if ((access & IB_ACCESS_HUGETLB) !== 0) return -EINVAL;
  const writable = (access & IB_ACCESS_WRITABLE) !== 0;
  if (!device.odp.unreferencedOwner) mm.count++;
  return new IbUmemOdp(device, mm, 0, 0, writable, { pageShift: PAGE_SHIFT, implicit: true });
}

/**
 * A child of an implicit region, over [addr, addr + size).
 * @returns the region, `-EFAULT` (the process is gone), or as {@link ibUmemOdpGet}.
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_alloc_child (without: allocations that fail)
 */
export function* ibUmemOdpAllocChild(
  root: IbUmemOdp,
  addr: number,
  size: number,
  ops: MmuIntervalNotifierOps,
): Task<IbUmemOdp | number> {
  const { device, owningMm: mm } = root;
  if (mm.count <= 0)
    device.broken?.tell('I62', 'a child is made for an address space whose structure has been freed');
  if (!mmgetNotZero(mm)) return -EFAULT;
  const { writable } = root;
  const umem = new IbUmemOdp(device, mm, addr, size, writable, {
    pageShift: root.pageShift,
    implicit: false,
  });
  const ret = yield* initUmem(umem, ops);
  device.exits.put(mm);
  return ret === 0 ? umem : ret;
}

/**
 * Ends a region: unmaps all of it, and waits for callbacks that run. The driver has made the device unable to reach it.
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_release (all)
 */
export function* ibUmemOdpRelease(umem: IbUmemOdp): Task {
  if (umem.isImplicitOdp) {
    if (!umem.device.odp.unreferencedOwner) umem.owningMm.drop();
    return;
  }
  const { umemMutex, notifier } = umem;
  if (!umemMutex.tryFast()) yield* umemMutex.lock();
  ibUmemOdpUnmapDmaPages(umem, umem.start, umem.end);
  umemMutex.unlock();
  if (notifier !== undefined) yield* mmuIntervalNotifierRemove(notifier);
  umem.notifier = undefined;
  umem.map = EMPTY_MAP;
}

/** Index of the lanes of page `vpn` in the region's list. */
export function slotOf(umem: IbUmemOdp, vpn: number): number {
  return HMM_PFN_LANES * (vpn - umem.startVpn);
}
