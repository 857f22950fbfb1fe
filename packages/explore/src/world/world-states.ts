import { AGENT_DONE, AGENT_READY } from '@hmm/kernel';
import type { Pin } from '@hmm/operations';
import type { StateNames, States } from '../engine/model.js';
import { StateHash } from '../engine/state-hash.js';
import { continuing, lowestAgent } from '../strategies/agent-set.js';
import type { FailureBudget } from './failure-budget.js';
import { FrameNames } from './frame-names.js';
import type { World } from './world.js';

/**
 * Fields that say nothing about what can follow while nobody is in the middle of anything: sequence numbers, which are
 * only compared with what somebody has read; the number of the next id; what belongs to the devices, which fold it themselves.
 */
const SKIPPED = ['invalidateSeq', 'nextId', 'passed', 'parked', 'ops', 'live'];

/** The states of a world, at points where all agents are between two operations. */
export class WorldStates implements States {
  private readonly world: World;
  private readonly roots: readonly object[];
  private readonly failures: FailureBudget;
  private readonly hash: StateHash;
  private readonly frames: FrameNames;

  /** @param state objects with state of the program's own. */
  constructor(world: World, state: readonly object[], failures: FailureBudget) {
    const { kernel, devices, system, census } = world;
    this.world = world;
    this.roots = [world, ...state, kernel.sched.lockdep];
    this.failures = failures;
    this.frames = new FrameNames(system);
    const folded = [devices, ...devices.roots, system.map, system.data, system.tables, system.pages];
    const lists = [system.lru, world.pins];
    const outside = [kernel.sched, kernel.trace, census, failures, ...folded, ...lists];
    this.hash = new StateHash(outside, SKIPPED);
  }

  /** @inheritdoc */
  key(): number | undefined {
    const { world, hash, frames } = this;
    const { system, devices } = world;
    const done = this.doneAgents();
    if (done < 0 || system.lru.mlock.length > 0) return undefined;
    hash.begin();
    frames.clear();
    hash.word((this.failures.left << 16) | done);
    frames.foldTables(this.fold);
    devices.foldState(this.fold, frames.of);
    for (const batch of system.lru.lists()) this.foldList(batch);
    for (const [mm, pins] of world.pins) if (pins.length > 0) this.foldPins(mm.id, pins);
    if (!frames.foldFrames(this.fold)) return undefined;
    hash.add(this.roots);
    return hash.end();
  }

  /** @inheritdoc */
  names(): StateNames {
    return this.frames.copy();
  }

  /** @inheritdoc */
  now(object: number, then: StateNames): number {
    const { map, dataObjects } = this.world.system;
    for (const base of [map.channels, map.objects, dataObjects]) {
      if (object < base || object >= base + map.frames) continue;
      const pfn = this.frames.now(object - base, then);
      return pfn < 0 ? -1 : base + pfn;
    }
    return object;
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

  /** The agents that are done, where all others are at a place of which {@link Places} tells and nothing is under way; else -1. */
  private doneAgents(): number {
    const { system, places, kernel } = this.world;
    let done = 0;
    for (const agent of kernel.sched.agents) {
      if (agent.id === 0) continue;
      if (agent.state === AGENT_DONE) done |= 1 << agent.id;
      else if (agent.state !== AGENT_READY || ((places.parked >>> agent.id) & 1) === 0) return -1;
    }
    for (const { notifierSubscriptions } of system.mms)
      if ((notifierSubscriptions?.activeInvalidateRanges ?? 0) !== 0) return -1;
    return done;
  }

  private foldPins(mm: number, pins: readonly Pin[]): void {
    this.hash.word(mm);
    this.hash.word(pins.length);
    for (const { vpn, pfn } of pins) {
      this.hash.word(vpn | 0);
      this.hash.word(this.frames.of(pfn));
    }
  }

  private foldList(frames: readonly number[]): void {
    this.hash.word(frames.length);
    for (const pfn of frames) this.hash.word(this.frames.of(pfn));
  }

  private readonly fold = (word: number): void => {
    this.hash.word(word);
  };
}
