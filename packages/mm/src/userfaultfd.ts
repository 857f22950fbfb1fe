import { EBUSY, EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { mmput } from './exit-mmap.js';
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_WRITE, VM_FAULT_RETRY, VM_FAULT_SIGBUS } from './fault.js';
import { mmgetNotZero } from './mmget.js';
import type { MmStruct } from './mm-struct.js';
import { wraps } from './task-size.js';
import { vmaModify } from './vma-merge.js';
import { findVmaIntersection, vmaNext } from './vma-set.js';
import { VM_UFFD_MISSING, type Vma } from './vma.js';

/** Register for faults on pages that are missing. @kernel include/uapi/linux/userfaultfd.h UFFDIO_REGISTER_MODE_MISSING */
export const UFFDIO_REGISTER_MODE_MISSING = 1;

/** A fault that waits for somebody to answer it. @kernel fs/userfaultfd.c userfaultfd_wait_queue */
export interface UserfaultfdWait {
  /** Tells it from the others of its context. */
  readonly id: number;
  /** The page. */
  readonly vpn: number;
  /** Whether the access writes (`UFFD_PAGEFAULT_FLAG_WRITE`). */
  readonly write: boolean;
}

/** An open userfaultfd of one address space: who waits at a page that is missing, and who is to be told. */
export class UserfaultfdCtx {
  /** What of it is state. */
  static readonly state = declareState({
    mm: 'constant',
    faults: 'constant',
    readers: 'constant',
    pending: 'constant',
    answered: 'constant',
    lastId: 'value',
    released: 'value',
  });

  readonly mm: MmStruct;
  /** The wait channel of the faults. */
  readonly faults: number;
  /** The wait channel of who reads messages; changes to the lists are observed under it as well. */
  readonly readers: number;
  /** Faults that nobody has read yet, in the order in which they came (`fault_pending_wqh`). */
  readonly pending: UserfaultfdWait[] = [];
  /** Faults that were read and not woken (`fault_wqh`). */
  readonly answered: UserfaultfdWait[] = [];
  /** The last fault's number. */
  lastId = 0;
  /** Whether it was closed. */
  released = false;

  constructor(mm: MmStruct) {
    this.mm = mm;
    this.faults = mm.kernel.allocIds(1);
    this.readers = mm.kernel.allocIds(1);
  }

  /** Whether fault `id` still waits. */
  holds(id: number): boolean {
    return [...this.pending, ...this.answered].some((wait) => wait.id === id);
  }
}

/**
 * A userfaultfd of `mm`. It is one of the address space's `userfaultfds` until it is released.
 * @kernel fs/userfaultfd.c new_userfaultfd (without: features, flags, permissions, files)
 */
export function newUserfaultfd(mm: MmStruct): UserfaultfdCtx {
  const ctx = new UserfaultfdCtx(mm);
  mm.userfaultfds.push(ctx);
  return ctx;
}

/**
 * A fault met a missing page of a registered VMA. With `FAULT_FLAG_ALLOW_RETRY` mmap_lock is dropped, the fault becomes a message
 * and waits until its page is there, or it is woken for another reason. Who holds on to the lock, as `hmm_range_fault` and pins do,
 * gets an error.
 * @returns `VM_FAULT_RETRY`, the lock being dropped, or `VM_FAULT_SIGBUS`.
 * @kernel fs/userfaultfd.c handle_userfault (without: write protection, minor faults, the features, signals, processes that exit)
 */
export function* handleUserfault(vma: Vma, vpn: number, flags: number): Task<number> {
  const { uffd, mm } = vma;
  if (uffd === null || (flags & FAULT_FLAG_ALLOW_RETRY) === 0) return VM_FAULT_SIGBUS;
  const { sched } = mm.kernel;
  sched.access(uffd.readers, true);
  if (uffd.released) {
    mm.mmapLock.unlockRead();
    return VM_FAULT_RETRY;
  }
  const id = ++uffd.lastId;
  uffd.pending.push({ id, vpn, write: (flags & FAULT_FLAG_WRITE) !== 0 });
  mm.mmapLock.unlockRead();
  sched.wake(uffd.readers);
  while (uffd.holds(id)) yield sched.waitFor(uffd.faults);
  sched.access(uffd.readers, false);
  return VM_FAULT_RETRY;
}

/**
 * The next fault that nobody has read, for somebody who waits until there is one; undefined when the context was released meanwhile.
 * @kernel fs/userfaultfd.c userfaultfd_ctx_read (without: O_NONBLOCK, messages about forks and changes of mappings)
 */
export function* userfaultfdCtxRead(ctx: UserfaultfdCtx): Task<UserfaultfdWait | undefined> {
  const { sched } = ctx.mm.kernel;
  while (ctx.pending.length === 0 && !ctx.released) {
    sched.access(ctx.readers, false);
    yield sched.waitFor(ctx.readers);
  }
  sched.access(ctx.readers, true);
  const wait = ctx.pending.shift();
  if (wait !== undefined) ctx.answered.push(wait);
  return wait;
}

/** Wakes the faults in [start, end). @kernel fs/userfaultfd.c wake_userfault (all) */
export function wakeUserfault(ctx: UserfaultfdCtx, start: number, end: number): void {
  const { sched } = ctx.mm.kernel;
  sched.access(ctx.readers, true);
  for (const waits of [ctx.pending, ctx.answered]) {
    for (let i = waits.length - 1; i >= 0; i--) {
      const vpn = waits[i]?.vpn ?? -1;
      if (vpn >= start && vpn < end) waits.splice(i, 1);
    }
  }
  sched.wake(ctx.faults);
}

/** Whether a VMA can be registered. @kernel include/linux/userfaultfd_k.h vma_can_userfault (without: shared memory, hugetlb, write protection, minor faults) */
function vmaCanUserfault(vma: Vma): boolean {
  return vma.isAnonymous() && vma.isCow();
}

/** 0 for a range that a call may name. @kernel fs/userfaultfd.c validate_range (without: addresses that are not aligned, tagged ones) */
export function validateRange(start: number, pages: number): number {
  return pages <= 0 || wraps(start, pages) ? -EINVAL : 0;
}

/**
 * Registers the pages [start, start + pages): a missing page of them is from now on somebody else's to bring.
 * @param mode `UFFDIO_REGISTER_MODE_MISSING`.
 * @returns 0; `-EINVAL` for another mode, a range without a VMA, or memory that is not private and anonymous; `-EBUSY` when another
 * context has a part of it.
 * @kernel fs/userfaultfd.c userfaultfd_register (without: write protection, minor faults, hugetlb, shared memory)
 */
export function* userfaultfdRegister(
  ctx: UserfaultfdCtx,
  start: number,
  pages: number,
  mode: number,
): Task<number> {
  if (mode !== UFFDIO_REGISTER_MODE_MISSING) return -EINVAL;
  return yield* change(ctx, start, pages, ctx);
}

/**
 * The pages [start, start + pages) are the kernel's to bring again; faults in them are woken.
 * @returns 0; `-EINVAL` as {@link userfaultfdRegister}, also when another context has a part of it.
 * @kernel fs/userfaultfd.c userfaultfd_unregister (without: hugetlb, write protection)
 */
export function* userfaultfdUnregister(ctx: UserfaultfdCtx, start: number, pages: number): Task<number> {
  return yield* change(ctx, start, pages, null);
}

/** What registering and unregistering share. */
function* change(
  ctx: UserfaultfdCtx,
  start: number,
  pages: number,
  uffd: UserfaultfdCtx | null,
): Task<number> {
  const { mm } = ctx;
  const error = validateRange(start, pages);
  if (error !== 0) return error;
  if (!mmgetNotZero(mm)) return -ENOMEM;
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const refusal = refuse(ctx, start, start + pages, uffd === null ? -EINVAL : -EBUSY);
  const ret = refusal !== 0 ? refusal : yield* setUffd(ctx, start, start + pages, uffd);
  mm.mmapLock.unlockWrite();
  yield* mmput(mm);
  return ret;
}

function refuse(ctx: UserfaultfdCtx, start: number, end: number, foreign: number): number {
  let vma = findVmaIntersection(ctx.mm, start, end);
  if (vma === undefined) return -EINVAL;
  for (; vma !== undefined && vma.start < end; vma = vmaNext(vma)) {
    if (!vmaCanUserfault(vma)) return -EINVAL;
    if (vma.uffd !== null && vma.uffd !== ctx) return foreign;
  }
  return 0;
}

/** @kernel mm/userfaultfd.c userfaultfd_register_range, userfaultfd_clear_vma (without: write protection) */
function* setUffd(
  ctx: UserfaultfdCtx,
  start: number,
  end: number,
  uffd: UserfaultfdCtx | null,
): Task<number> {
  const { mm } = ctx;
  for (let at = start; at < end;) {
    const vma = findVmaIntersection(mm, at, end);
    if (vma === undefined) return 0;
    const from = Math.max(vma.start, at);
    const stop = Math.min(vma.end, end);
    at = stop;
    if (vma.uffd === uffd) continue;
    if (uffd === null) wakeUserfault(ctx, from, stop);
    const flags = uffd === null ? vma.flags & ~VM_UFFD_MISSING : vma.flags | VM_UFFD_MISSING;
    const part = yield* vmaModify(vma, from, stop, flags, uffd);
    if (typeof part === 'number') return part;
    part.flags = flags;
    part.uffd = uffd;
    at = Math.max(stop, part.end);
  }
  return 0;
}

/**
 * The VMA's missing pages are the kernel's to bring: fork's copies and what mremap moved are not registered.
 * @kernel mm/userfaultfd.c userfaultfd_reset_ctx (all)
 */
export function userfaultfdResetCtx(vma: Vma): void {
  vma.uffd = null;
  vma.flags &= ~VM_UFFD_MISSING;
}

/**
 * Closes a userfaultfd: nothing is registered with it any longer, and who waits, at a page or for a message, goes on.
 * @kernel fs/userfaultfd.c userfaultfd_release (all)
 */
export function* userfaultfdRelease(ctx: UserfaultfdCtx): Task {
  const { mm } = ctx;
  const { sched } = mm.kernel;
  if (ctx.released) return;
  ctx.released = true;
  const at = mm.userfaultfds.indexOf(ctx);
  if (at >= 0) mm.userfaultfds.splice(at, 1);
  if (mmgetNotZero(mm)) {
    if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
    for (let i = 0; i < mm.vmas.length; i++) {
      const vma = mm.vmas[i];
      if (vma?.uffd === ctx) yield* setUffd(ctx, vma.start, vma.end, null);
    }
    mm.mmapLock.unlockWrite();
    yield* mmput(mm);
  }
  wakeUserfault(ctx, 0, Infinity);
  sched.wake(ctx.readers);
}
