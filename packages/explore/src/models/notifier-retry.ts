import {
  HmmError,
  Kernel,
  Mutex,
  RwSemaphore,
  SP_BLOCK,
  SP_LOCK,
  SP_PREEMPT,
  type MaybeTask,
  type Task,
} from '@hmm/kernel';
import { SavedState } from '@hmm/kernel/internal';
import {
  I10,
  I11,
  I16,
  I9,
  MMU_NOTIFY_CLEAR,
  mmuIntervalNotifierInsert,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  mmuIntervalTryReadBegin,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInit,
  type MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
  type NotifierMm,
} from '@hmm/mmu-notifier';
import { type MmuNotifierSubscriptions } from '@hmm/mmu-notifier/internal';
import type { Model, Outcome, Violation } from '../engine/model.js';

const PAGES = 4;
/** Frames that small tests come to use: each replacement takes a new one. */
const FRAMES = 64;

/** Ways to write the driver's side wrong; each loses an invalidation in some interleaving. */
export type RetryMistake = 'no-retry' | 'retry-unlocked' | 'no-set-seq' | 'begin-late';

/** An operation of a thread: the device faults on a page, or the CPU replaces a page. */
export type RetryOp = readonly ['fault' | 'replace', number];

/**
 * The sequence-retry protocol of a mirror alone: a CPU page table of four entries, a device with its own copy, and
 * the real `@hmm/mmu-notifier` between them. The smallest program in which an invalidation can be lost.
 */
export class NotifierRetry implements Model, NotifierMm, MmuIntervalNotifierOps {
  readonly name = 'notifier-retry';
  readonly kernel = new Kernel();
  readonly sched = this.kernel.sched;
  readonly id = 1;
  readonly mmapLock = new RwSemaphore(this.sched, this.kernel.allocIds(1), 'mmap_lock');
  notifierSubscriptions: MmuNotifierSubscriptions | undefined;
  users = 1;
  count = 1;
  private readonly driverLock = new Mutex(this.sched, this.kernel.allocIds(1), 'driver');
  /** The CPU's entries: a pfn, never 0. */
  private readonly pte = new Int32Array(PAGES);
  private readonly pteIds = this.kernel.allocIds(PAGES);
  /** The device's entries: a pfn, or 0. */
  private readonly devicePte = new Int32Array(PAGES);
  private readonly deviceIds = this.kernel.allocIds(PAGES);
  readonly usersObject = this.kernel.allocIds(1);
  private readonly threads: readonly { readonly name: string; readonly ops: readonly RetryOp[] }[];
  private readonly mistake: RetryMistake | undefined;
  private readonly subs: MmuNotifierSubscriptions;
  private readonly sub: MmuIntervalNotifier;
  private readonly initial: SavedState;
  private nextPfn = 0;
  private readonly texts = new Map<number, string>();

  constructor(threads: readonly (readonly RetryOp[])[], mistake?: RetryMistake) {
    this.threads = threads.map((ops, i) => ({ name: `T${i}`, ops }));
    this.mistake = mistake;
    const sub = this.sched.runSync(mmuIntervalNotifierInsert(this, 0, PAGES, this));
    if (typeof sub === 'number' || this.notifierSubscriptions === undefined) {
      throw new HmmError('INSERT', 'the notifier was not inserted');
    }
    this.sub = sub;
    this.subs = this.notifierSubscriptions;
    this.initial = new SavedState([sub], [this, this.kernel]);
  }

  /** Drops a reference to the address space, which stays for the next execution. */
  drop(): void {
    this.count--;
  }

  /** @inheritdoc */
  start(): void {
    this.sched.reset();
    this.initial.restore();
    this.nextPfn = 0;
    for (let page = 0; page < PAGES; page++) this.pte[page] = ++this.nextPfn;
    for (let page = 0; page < PAGES; page++) this.devicePte[page] = 0;
    for (const { name, ops } of this.threads) this.sched.spawn(name, this.task(ops));
  }

  /** @inheritdoc */
  checkStep(wrote: boolean): Violation | undefined {
    if (!wrote) return undefined;
    const { subs } = this;
    const detail = I9(subs) ?? I10(subs) ?? I11(subs) ?? I16(subs);
    return detail === undefined ? undefined : { invariant: 'I9', detail };
  }

  /** @inheritdoc */
  finish(): Outcome {
    const text = this.text();
    for (let page = 0; page < PAGES; page++) {
      const device = this.devicePte[page] ?? 0;
      if (device === 0 || device === this.pte[page]) continue;
      const detail = `the device maps page ${page} to frame ${device}, the CPU to ${String(this.pte[page])}`;
      return { text, violation: { invariant: 'I1', detail } };
    }
    return { text };
  }

  /** Both tables as text. The few that there are are remembered: a search comes to each again and again. */
  private text(): string {
    const { devicePte, pte, texts } = this;
    if (this.nextPfn >= FRAMES) return `device ${devicePte.join(',')} cpu ${pte.join(',')}`;
    let key = 0;
    for (let page = 0; page < PAGES; page++)
      key = (key * FRAMES + (devicePte[page] ?? 0)) * FRAMES + (pte[page] ?? 0);
    let text = texts.get(key);
    if (text === undefined) {
      text = `device ${devicePte.join(',')} cpu ${pte.join(',')}`;
      texts.set(key, text);
    }
    return text;
  }

  /** @inheritdoc */
  view(): ReadonlyMap<string, string> {
    const lines = new Map<string, string>();
    for (let page = 0; page < PAGES; page++) {
      lines.set(`cpu[${page}]`, String(this.pte[page]));
      lines.set(`device[${page}]`, this.devicePte[page] === 0 ? 'none' : String(this.devicePte[page]));
    }
    return lines;
  }

  /** @inheritdoc */
  invalidate(_sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): MaybeTask<boolean> {
    return this.invalidateTask(range, curSeq);
  }

  private *invalidateTask(range: MmuNotifierRange, curSeq: number): Task<boolean> {
    yield SP_LOCK;
    while (!this.driverLock.takeOrWait()) yield SP_BLOCK;
    if (this.mistake !== 'no-set-seq') mmuIntervalSetSeq(this.sub, curSeq);
    for (let page = range.start; page < range.end; page++) {
      this.sched.access(this.deviceIds + page, true);
      this.devicePte[page] = 0;
    }
    this.driverLock.unlock();
    return true;
  }

  /** What a thread runs. One operation needs nobody to call it, which saves a resumption at each of its steps. */
  private task(ops: readonly RetryOp[]): Task {
    const first = ops[0];
    return first !== undefined && ops.length === 1 ? this.operation(first) : this.thread(ops);
  }

  private *thread(ops: readonly RetryOp[]): Task {
    for (const op of ops) yield* this.operation(op);
  }

  private operation(op: RetryOp): Task {
    return op[0] === 'fault' ? this.fault(op[1]) : this.replace(op[1]);
  }

  private *replace(page: number): Task {
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, this, page, page + 1);
    const started = mmuNotifierInvalidateRangeStart(range);
    if (typeof started !== 'number') yield* started;
    yield SP_PREEMPT;
    this.sched.access(this.pteIds + page, true);
    this.pte[page] = ++this.nextPfn;
    yield SP_PREEMPT;
    mmuNotifierInvalidateRangeEnd(range);
  }

  private *fault(page: number): Task {
    const { mistake, driverLock } = this;
    for (;;) {
      let seq = mistake === 'begin-late' ? 0 : mmuIntervalTryReadBegin(this.sub);
      if (seq === 0 && mistake !== 'begin-late') seq = yield* mmuIntervalReadBegin(this.sub);
      yield SP_PREEMPT;
      this.sched.access(this.pteIds + page, false);
      const pfn = this.pte[page] ?? 0;
      if (mistake === 'begin-late') {
        yield SP_PREEMPT;
        seq = yield* mmuIntervalReadBegin(this.sub);
      }
      if (mistake === 'retry-unlocked' && mmuIntervalReadRetry(this.sub, seq)) continue;
      yield SP_LOCK;
      while (!driverLock.takeOrWait()) yield SP_BLOCK;
      const locked = mistake === undefined || mistake === 'no-set-seq' || mistake === 'begin-late';
      const retry = locked && mmuIntervalReadRetry(this.sub, seq);
      if (!retry) {
        this.sched.access(this.deviceIds + page, true);
        this.devicePte[page] = pfn;
      }
      driverLock.unlock();
      if (!retry) return;
    }
  }
}
