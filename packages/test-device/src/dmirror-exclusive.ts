import { EBUSY, EINVAL, ENOMEM, EPERM, SP_PREEMPT, type Task } from '@hmm/kernel';
import { NO_OWNER } from '@hmm/mmu-notifier';
import { makeDeviceExclusive, makeDeviceExclusiveRange } from '@hmm/migrate';
import { mmput } from '@hmm/mm';
import { folioPut, mmgetNotZero, NO_PFN } from '@hmm/mm/internal';
import { DPT_XA_TAG_ATOMIC } from './device-table.js';
import { DMIRROR_BATCH, dmirrorReadBack } from './dmirror-fault.js';
import type { Dmirror } from './dmirror.js';
import type { HmmDmirrorCmd } from './uapi.js';

const PAGE_SIZE = 4096;

/**
 * Makes the pages of `cmd` exclusive to the device, batch by batch, and reads them.
 * @returns 0, `-EINVAL`, or the error of a page that cannot be had (before 6.15 always `-EBUSY`); the pages before it stay
 * exclusive.
 * @kernel lib/test_hmm.c dmirror_exclusive (all)
 */
export function* dmirrorExclusive(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  const { mm } = dmirror;
  const start = cmd.addr / PAGE_SIZE;
  const end = start + cmd.npages;
  if (!mmgetNotZero(mm)) return -EINVAL;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  if (mm.kernel.does.exclusivePageByPage) {
    const ret = yield* exclusivePages(dmirror, start, end);
    mm.mmapLock.unlockRead();
    yield* mmput(mm);
    return ret === 0 ? yield* dmirrorReadBack(dmirror, cmd) : ret;
  }
  let complete = true;
  for (let at = start; at < end && complete; at += DMIRROR_BATCH) {
    const next = Math.min(end, at + DMIRROR_BATCH);
    complete = yield* exclusiveBatch(dmirror, at, next);
  }
  mm.mmapLock.unlockRead();
  yield* mmput(mm);
  return complete ? yield* dmirrorReadBack(dmirror, cmd) : -EBUSY;
}

function* exclusiveBatch(dmirror: Dmirror, start: number, end: number): Task<boolean> {
  const { system } = dmirror.mm;
  const pages: number[] = [];
  const got = yield* makeDeviceExclusiveRange(dmirror.mm, start, end, pages, NO_OWNER);
  // A short answer leaves pages undefined: nothing is mapped then.
  const mapped = got === end - start ? yield* atomicMap(dmirror, start, pages) : 0;
  for (let i = 0; i < got; i++) {
    const page = pages[i] ?? NO_PFN;
    if (page === NO_PFN) continue;
    if (system.kernel.sched.exploring) yield SP_PREEMPT;
    system.map.unlock(page);
    folioPut(system, page);
  }
  return mapped === end - start;
}

/** Page by page; those before an error stay exclusive, and in the device's table. */
function* exclusivePages(dmirror: Dmirror, start: number, end: number): Task<number> {
  const { system } = dmirror.mm;
  for (let vpn = start; vpn < end; vpn++) {
    const page = yield* makeDeviceExclusive(dmirror.mm, vpn, NO_OWNER);
    if (page < 0) return page;
    const mapped = yield* atomicMap(dmirror, vpn, [page]);
    system.map.unlock(system.map.folio(page));
    folioPut(system, page);
    if (mapped !== 1) return -ENOMEM;
  }
  return 0;
}

/** @kernel lib/test_hmm.c dmirror_atomic_map (all) */
function* atomicMap(dmirror: Dmirror, start: number, pages: readonly number[]): Task<number> {
  let mapped = 0;
  if (!dmirror.mutex.tryFast()) yield* dmirror.mutex.lock();
  for (const [i, page] of pages.entries()) {
    if (page === NO_PFN) continue;
    if (dmirror.pt.store(start + i, page, DPT_XA_TAG_ATOMIC)) mapped++;
  }
  dmirror.mutex.unlock();
  return mapped;
}

/**
 * `-EPERM` if the device's table says that a page of the range is exclusive.
 * @kernel lib/test_hmm.c dmirror_check_atomic (all)
 */
export function* dmirrorCheckAtomic(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  const start = cmd.addr / PAGE_SIZE;
  let ret = 0;
  if (!dmirror.mutex.tryFast()) yield* dmirror.mutex.lock();
  dmirror.pt.forEachIn(start, start + cmd.npages, (_vpn, _pfn, tag) => {
    if ((tag & DPT_XA_TAG_ATOMIC) !== 0) ret = -EPERM;
  });
  dmirror.mutex.unlock();
  return ret;
}
