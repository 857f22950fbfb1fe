import { AGENT_DONE, AGENT_READY } from '@hmm/kernel';
import { StateHash } from '@hmm/kernel/internal';
import type { StateNames, States } from '../engine/model.js';
import { continuing, lowestAgent } from '../strategies/agent-set.js';
import type { FailureBudget } from './failure-budget.js';
import { FrameNames } from './frame-names.js';
import type { World } from './world.js';

/** The states of a world, at points where all agents are between two operations. */
export class WorldStates implements States {
  private readonly world: World;
  private readonly roots: readonly object[];
  private readonly hash: StateHash;
  private readonly frames: FrameNames;

  /** @param state objects with state of the program's own. */
  constructor(world: World, state: readonly object[], failures: FailureBudget) {
    this.world = world;
    this.roots = [world, failures, ...state, world.kernel.sched.lockdep];
    this.frames = new FrameNames(world.system);
    this.hash = new StateHash([], this.frames);
  }

  /** @inheritdoc */
  key(): number | undefined {
    const { hash, frames } = this;
    const done = this.doneAgents();
    if (done < 0 || this.world.system.lru.mlock.length > 0) return undefined;
    hash.begin();
    frames.clear();
    hash.word(done);
    frames.foldTables(this.fold);
    hash.add(this.roots);
    return frames.foldFrames(this.fold) ? hash.end() : undefined;
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

  private readonly fold = (word: number): void => {
    this.hash.word(word);
  };
}
