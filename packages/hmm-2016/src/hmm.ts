import { SpinLock } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { MmuNotifier, type MmuNotifierOps } from '@hmm/mmu-notifier';
import {
  hmm2016Behaviours,
  type Hmm2016BehaviourName,
  type Hmm2016Behaviours,
  type Hmm2016Version,
} from './behaviours.js';
import type { HmmRange } from './hmm-range.js';

const CHOSEN = { outside: 'chosen when the machine is made' };

/** The only action that either version has: the CPU's entries are not true any more. @v13 patch 9 hmm_update */
export const HMM_UPDATE_INVALIDATE = 0;

/**
 * What a driver is called with: `update` in v13, `sync_cpu_device_pagetables` in 4.14. When it returns, the device does no access
 * through an old translation of the pages [start, end). It may sleep in v13; here the driver's lock is a spinlock, so that it need not.
 */
export type HmmUpdate = (mirror: HmmMirror, action: number, start: number, end: number) => void;

/** A driver's mirror of one address space. @v13 patch 9 hmm_mirror */
export class HmmMirror {
  /** What of it is state. */
  static readonly state = declareState({ hmm: 'value', update: { outside: 'a function' } });

  /** What it is registered with. */
  hmm: Hmm | undefined;
  /** The driver's one callback. */
  readonly update: HmmUpdate;

  constructor(update: HmmUpdate) {
    this.update = update;
  }
}

/** HMM as it is built into one machine: its version, and what it keeps of each address space. */
export class HmmCore {
  /** What of it is state. */
  static readonly state = declareState({
    memory: 'constant',
    version: CHOSEN,
    does: CHOSEN,
    object: CHOSEN,
    hmms: 'constant',
  });

  readonly memory: MemorySystem;
  readonly version: Hmm2016Version;
  /** What this version does. */
  readonly does: Hmm2016Behaviours;
  /** Under which its state is observed. */
  readonly object: number;
  /** The kernel's `mm->hmm`, by the number of the mm. */
  readonly hmms: (Hmm | undefined)[] = [];

  /** @param object under which its state is observed; one of its own without. */
  constructor(
    memory: MemorySystem,
    version: Hmm2016Version,
    mended: readonly Hmm2016BehaviourName[] = [],
    object?: number,
  ) {
    this.memory = memory;
    this.version = version;
    this.does = hmm2016Behaviours(version, mended);
    this.object = object ?? memory.kernel.allocIds(1);
  }

  /** Reports that its state is used. */
  touch(): void {
    this.memory.kernel.sched.access(this.object, true);
  }
}

/**
 * What HMM knows of one address space. It lives until the mm_struct is freed, whoever mirrors it; as its notifier holds a reference
 * on the mm_struct, that is never while it is registered. @v13 patch 8 hmm
 */
export class Hmm extends MmuNotifier {
  /** What of it is state. */
  static override readonly state = declareState({
    core: 'constant',
    space: 'constant',
    mirrors: 'constant',
    ranges: 'constant',
    monitors: 'constant',
    registered: 'value',
    sequence: { saved: 'written, and read by nobody' },
    notifierCount: 'value',
    channel: 'constant',
    lock: 'constant',
  });

  readonly core: HmmCore;
  readonly space: MmStruct;
  /** The newest first. */
  readonly mirrors: HmmMirror[] = [];
  /** v13: range locks, and invalidations that are being announced. 4.14: tracked ranges. */
  readonly ranges: HmmRange[] = [];
  /** v13: monitored ranges. */
  readonly monitors: HmmRange[] = [];
  /** Whether the notifier is registered. */
  registered = false;
  /** Counted up by each invalidation; nothing reads it (inferred, v13 and 4.14). */
  sequence = 0;
  /** v13: invalidations that run. */
  notifierCount = 0;
  /** The wait queue. */
  readonly channel: number;
  readonly lock: SpinLock;

  constructor(core: HmmCore, space: MmStruct, ops: MmuNotifierOps) {
    super(ops);
    this.core = core;
    this.space = space;
    this.channel = space.kernel.allocIds(1);
    this.lock = new SpinLock(space.kernel.sched, 'hmm->lock');
  }
}

/**
 * The `struct hmm` of an address space, made at the first call.
 * @v13 patch 8 hmm_register (without: allocations that fail, and the race of two that make it)
 */
export function hmmRegister(core: HmmCore, mm: MmStruct, ops: MmuNotifierOps): Hmm {
  core.touch();
  const known = core.hmms[mm.id];
  if (known?.space === mm) return known;
  const made = new Hmm(core, mm, ops);
  core.hmms[mm.id] = made;
  return made;
}

/** Tells all mirrors that the pages [start, end) change. */
export function updateMirrors(hmm: Hmm, start: number, end: number): void {
  for (const mirror of [...hmm.mirrors]) mirror.update(mirror, HMM_UPDATE_INVALIDATE, start, end);
}
