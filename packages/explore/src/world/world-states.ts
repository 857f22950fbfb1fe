import { AGENT_DONE, AGENT_READY } from '@hmm/kernel';
import { StateHash } from '@hmm/kernel/internal';
import { FIRST_PFN } from '@hmm/mm/internal';
import type { Contents, Forgotten, Remembered, StateNames, States } from '../engine/model.js';
import { continuing, lowestAgent } from '../strategies/agent-set.js';
import type { FailureBudget } from './failure-budget.js';
import { FrameNames } from './frame-names.js';
import { ObjectContents } from './object-contents.js';
import type { World } from './world.js';

/** Names of observed objects that are about frames begin here. */
const FRAMES = 1 << 20;

/** The states of a world, at points where all agents are between two operations. */
export class WorldStates implements States {
  private readonly world: World;
  private readonly roots: readonly object[];
  private readonly hash: StateHash;
  private readonly frames: FrameNames;
  private readonly objects: ObjectContents;
  private readonly read: Contents = { word: 0, more: 0, frame: 0, other: 0, sequence: undefined };

  /** @param state objects with state of the program's own. */
  constructor(world: World, state: readonly object[], failures: FailureBudget) {
    this.world = world;
    this.roots = [world, failures, ...state, world.kernel.sched.lockdep];
    this.objects = new ObjectContents(world.system);
    this.frames = new FrameNames(world.system);
    this.hash = new StateHash([], this.frames);
  }

  /** @inheritdoc */
  resting(agent: number): boolean {
    return ((this.world.places.parked >>> agent) & 1) !== 0;
  }

  /** @inheritdoc */
  forgot(): Forgotten | undefined {
    return this.world.places.forgot();
  }

  /** @inheritdoc */
  contents(object: number, into: Contents): boolean {
    return this.objects.read(object, into) || this.world.devices.contents?.(object, into) === true;
  }

  /** @inheritdoc */
  initial(object: number, into: Contents): boolean {
    return this.objects.readFirst(object, into);
  }

  /** @inheritdoc */
  frameOf(object: number): number {
    return this.objects.frameOf(object);
  }

  /** @inheritdoc */
  key(remembered: Remembered, ready: number): number | undefined {
    const { hash, frames } = this;
    if (this.world.system.lru.mlock.length > 0) return undefined;
    hash.begin();
    frames.clear();
    frames.foldTables(this.fold);
    hash.add(this.roots);
    this.foldAgents(remembered, ready);
    this.foldSequences();
    return frames.foldFrames(this.fold) ? hash.end() : undefined;
  }

  /** @inheritdoc */
  names(): StateNames {
    return this.frames.copy();
  }

  /** @inheritdoc */
  nameOf(object: number, names: StateNames): number {
    const { map, dataObjects } = this.world.system;
    const pfn = this.objects.frameOf(object);
    if (pfn === 0) return object;
    const name = pfn < FIRST_PFN ? -pfn : (names[pfn] ?? 0);
    if (name === 0) return -1;
    const kind = object - pfn === map.channels ? 0 : object - pfn === dataObjects ? 1 : 2;
    return FRAMES + 3 * (name + FIRST_PFN) + kind;
  }

  /** @inheritdoc */
  named(name: number): number {
    if (name < FRAMES) return name;
    const { map, dataObjects } = this.world.system;
    const kind = (name - FRAMES) % 3;
    const pfn = this.frames.named((name - FRAMES - kind) / 3 - FIRST_PFN);
    return pfn < 0 ? -1 : pfn + (kind === 0 ? map.channels : kind === 1 ? dataObjects : map.objects);
  }

  /** @inheritdoc */
  prefer(candidates: number, last: number): number {
    const { parked, passed } = this.world.places;
    const busy = candidates & ~parked;
    if (busy !== 0) return continuing(busy, last);
    let least = lowestAgent(candidates);
    for (let rest = candidates; rest !== 0; rest &= rest - 1) {
      const agent = lowestAgent(rest);
      if ((passed[agent] ?? 0) < (passed[least] ?? 0)) least = agent;
    }
    return least;
  }

  /** Where each agent is, and what those have in mind that are in the middle of something. */
  private foldAgents(remembered: Remembered, ready: number): void {
    const { hash } = this;
    for (const { id, state, lockWait, channel } of this.world.kernel.sched.agents) {
      if (id === 0) continue;
      if (state === AGENT_DONE) {
        hash.word(-1);
        continue;
      }
      // Who waits for a lock is as one who is about to try.
      const waits = state !== AGENT_READY && !lockWait;
      hash.word(waits ? 2 : state === AGENT_READY && ((ready >>> id) & 1) === 0 ? 1 : 0);
      if (waits) this.foldObject(channel);
      if (this.resting(id)) {
        hash.word(-2);
        continue;
      }
      hash.word(remembered.lowOf(id));
      hash.word(remembered.highOf(id));
      remembered.forEach(id, this.foldItem);
    }
  }

  private foldObject(object: number): void {
    const pfn = this.objects.frameOf(object);
    this.hash.word(object - pfn);
    if (pfn > 0) this.hash.frame(pfn);
  }

  private readonly foldItem = (object: number, value: number): void => {
    if (object === 0) this.hash.frame(value);
    else {
      this.objects.read(object, this.read);
      this.hash.word(this.read.sequence === value ? 1 : 0);
    }
  };

  /** Which notifiers are being invalidated. */
  private foldSequences(): void {
    for (const { notifierSubscriptions: subs } of this.world.system.mms) {
      if (subs === undefined || subs.activeInvalidateRanges === 0) continue;
      this.hash.word(subs.invalidateSeq & 1);
      for (const sub of subs.intervals)
        if (sub !== undefined) this.hash.word(sub.invalidateSeq === subs.invalidateSeq ? 1 : 2);
    }
  }

  private readonly fold = (word: number): void => {
    this.hash.word(word);
  };
}
