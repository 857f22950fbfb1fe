import { EFAULT, EINVAL, PAGE_SIZE, SP_PREEMPT, type MaybeTask, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  type MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
  mmuIntervalSetSeq,
  mmuNotifierRangeBlockable,
} from '@hmm/mmu-notifier';
import {
  calledBack,
  calledBackTask,
  checkCallback,
  frameAtomic,
  frameCopy,
  type IbDevice,
  type IbUmemOdp,
  ibUmemOdpMapDmaAndLock,
  ibUmemOdpUnmapDmaPages,
  ODP_READ,
  ODP_WRITE,
  type RegionTable,
  slotOf,
  TP_PAGE_FAULT,
  TP_RESUME,
  wronglyCopied,
} from '@hmm/ib-core';
import { HMM_PFN_VALID, HMM_PFN_WRITE } from '@hmm/mirror';
import { PG_dirty } from '@hmm/mm/internal';
import type { AtomicTransfer } from '@hmm/rdma-nic';
import type { RxeOptions } from './options.js';
import { tellCopy } from './copy-story.js';
import type { RxeMr } from './rxe-mr.js';

/** A region on demand. */
export type OdpMr = RxeMr & { readonly umem: IbUmemOdp };

/** What a region is told when its pages change; the region is known a moment after its callbacks are. */
export class RxeMnOps implements MmuIntervalNotifierOps {
  /** What of it is state. */
  static readonly state = declareState({
    umem: 'value',
    rxe: 'constant',
  });

  /** Set as soon as there is one; callbacks before that find nothing. */
  umem: IbUmemOdp | undefined = undefined;
  private readonly rxe: IbDevice;

  constructor(rxe: IbDevice) {
    this.rxe = rxe;
  }

  /** @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_ib_invalidate_range (all) */
  invalidate(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): MaybeTask<boolean> {
    if (!mmuNotifierRangeBlockable(range)) return false;
    const { umem } = this;
    calledBack(this.rxe);
    if (umem === undefined) return setSeq(sub, curSeq);
    if (umem.umemMutex.tryFast()) return zap(umem, sub, range, curSeq);
    return calledBackTask(this.rxe, lockAndZap(umem, sub, range, curSeq));
  }
}

function setSeq(sub: MmuIntervalNotifier, curSeq: number): true {
  mmuIntervalSetSeq(sub, curSeq);
  return true;
}

function* lockAndZap(
  umem: IbUmemOdp,
  sub: MmuIntervalNotifier,
  range: MmuNotifierRange,
  curSeq: number,
): Task<boolean> {
  yield* umem.umemMutex.lock();
  return zap(umem, sub, range, curSeq);
}

function zap(umem: IbUmemOdp, sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): true {
  if (umem.device.counts !== undefined) umem.device.counts.invalidations++;
  mmuIntervalSetSeq(sub, curSeq);
  const start = Math.max(umem.startVpn, range.start);
  const end = Math.min(umem.startVpn + umem.pages, range.end);
  ibUmemOdpUnmapDmaPages(umem, start * PAGE_SIZE, end * PAGE_SIZE);
  checkCallback(tableOf(umem), start - umem.startVpn, end - umem.startVpn);
  umem.umemMutex.unlock();
  return true;
}

/** The list of frames is the table. */
export function tableOf(umem: IbUmemOdp): RegionTable {
  return { umem, entries: umem.map.pfnList, own: false };
}

/** Where the bytes of an address of a work request are in the process. */
function addressOf(mr: OdpMr, iova: number, options: RxeOptions): number {
  return options.iovaIsVa ? iova : iova - mr.iova + mr.va;
}

/**
 * Whether a page of [va, va + length) is absent, or may not be written although it is to be.
 * @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_check_pagefault (all)
 */
export function rxeCheckPagefault(umem: IbUmemOdp, va: number, length: number, write: boolean): boolean {
  const { kernel } = umem.owningMm;
  const want = write ? HMM_PFN_VALID | HMM_PFN_WRITE : HMM_PFN_VALID;
  const { pfnList } = umem.map;
  kernel.sched.access(umem.listObject, false);
  const stop = slotOf(umem, Math.ceil((va + length) / PAGE_SIZE));
  for (let slot = slotOf(umem, Math.floor(va / PAGE_SIZE)); slot < stop; slot += 2) {
    if (((pfnList[slot] ?? 0) & want) !== want) return true;
  }
  return false;
}

/**
 * Takes the mutex with every page of [va, va + length) present, faulting once where one is not.
 * @returns 0 with the mutex held, or a negative errno with it free.
 * @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_odp_map_range_and_lock (without: faults for flushes of
 * persistent memory)
 */
export function* rxeOdpMapRangeAndLock(
  umem: IbUmemOdp,
  va: number,
  length: number,
  write: boolean,
): Task<number> {
  const { umemMutex } = umem;
  if (!umemMutex.tryFast()) yield* umemMutex.lock();
  if (!rxeCheckPagefault(umem, va, length, write)) return 0;
  umemMutex.unlock();
  const { kernel } = umem.owningMm;
  const vpn = Math.floor(va / PAGE_SIZE);
  if (kernel.trace.on) kernel.emit(TP_PAGE_FAULT, vpn, 1, write ? 1 : 0);
  const mask = write && umem.writable ? ODP_READ | ODP_WRITE : ODP_READ;
  const ret = yield* ibUmemOdpMapDmaAndLock(umem, va, length, mask, true);
  const served = ret >= 0 && !rxeCheckPagefault(umem, va, length, write);
  const result = served ? 0 : Math.min(ret, -EFAULT);
  if (kernel.trace.on) kernel.emit(TP_RESUME, vpn, 1, result);
  if (ret >= 0 && !served) umemMutex.unlock();
  return ret < 0 ? ret : result;
}

/** One piece of a copy: where in the page and in the packet it starts, and its bytes. */
interface Piece {
  readonly pfn: number;
  readonly inPage: number;
  readonly inPacket: number;
  readonly bytes: number;
}

/**
 * Copies a packet's payload from memory or to it.
 * @returns 0 or a negative errno.
 * @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_odp_mr_copy (without: regions of no length)
 */
export function* rxeOdpMrCopy(
  mr: OdpMr,
  iova: number,
  payload: Uint8Array,
  toMemory: boolean,
  options: RxeOptions,
): Task<number> {
  if (payload.length === 0) return 0;
  const { umem } = mr;
  const va = addressOf(mr, iova, options);
  const ret = yield* rxeOdpMapRangeAndLock(umem, va, payload.length, toMemory);
  if (ret !== 0) return ret;
  if (umem.owningMm.kernel.sched.exploring) yield SP_PREEMPT;
  for (let done = 0; done < payload.length;) {
    const inPage = (va + done) % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - inPage, payload.length - done);
    const pfn = umem.map.pfnList[slotOf(umem, Math.floor((va + done) / PAGE_SIZE)) + 1] ?? 0;
    const wrong = options.copyIgnoresOffset;
    copyPiece(umem, payload, toMemory, {
      pfn,
      inPage: wrong ? 0 : inPage,
      inPacket: wrong ? 0 : done,
      bytes,
    });
    if (toMemory && !options.neverDirty) markDirty(umem, pfn);
    done += bytes;
  }
  const wrong = wronglyCopied(umem, va, payload);
  if (wrong >= 0) tellCopy(umem, va, payload.length, toMemory, wrong);
  umem.umemMutex.unlock();
  return 0;
}

/** @kernel drivers/infiniband/sw/rxe/rxe_odp.c __rxe_odp_mr_copy (all) */
function copyPiece(umem: IbUmemOdp, payload: Uint8Array, toMemory: boolean, piece: Piece): void {
  const { pfn, inPage, inPacket, bytes } = piece;
  frameCopy(umem.owningMm.system, pfn, inPage, payload.subarray(inPacket, inPacket + bytes), toMemory);
}

function markDirty(umem: IbUmemOdp, pfn: number): void {
  const { map } = umem.owningMm.system;
  map.set(map.folio(pfn), PG_dirty);
}

/**
 * An atomic on the page of its first byte, under rxe's own lock: atomic among rxe's operations only.
 * @returns the old value, or `-EFAULT` … of the fault, `-EINVAL` for an address that is no multiple of 8, found out after it.
 * @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_odp_atomic_op (without: atomic writes of 8 bytes)
 */
export function* rxeOdpAtomicOp(
  mr: OdpMr,
  transfer: AtomicTransfer,
  options: RxeOptions,
): Task<bigint | number> {
  const { umem } = mr;
  const va = addressOf(mr, transfer.addr, options);
  const ret = yield* rxeOdpMapRangeAndLock(umem, va, 1, true);
  if (ret !== 0) return ret;
  const inPage = va % PAGE_SIZE;
  if (inPage % 8 !== 0) {
    umem.umemMutex.unlock();
    return -EINVAL;
  }
  const pfn = umem.map.pfnList[slotOf(umem, Math.floor(va / PAGE_SIZE)) + 1] ?? 0;
  const old = frameAtomic(umem.owningMm.system, pfn, inPage, transfer);
  if (!options.neverDirty) markDirty(umem, pfn);
  umem.umemMutex.unlock();
  return old;
}
