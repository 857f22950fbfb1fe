import { HmmError } from '@hmm/kernel';
import { AccessLog } from '../engine/access-log.js';
import type { States } from '../engine/model.js';
import { PRUNED, type Strategy } from '../engine/strategy.js';
import { continuing, hasAgent, lowestAgent } from './agent-set.js';
import { Clocks } from './clocks.js';
import { Decisions } from './decisions.js';
import { type DporState, MAX_AGENTS, partOf } from './dpor-state.js';
import { Initials } from './initials.js';
import { Memories } from './memories.js';
import { Races } from './races.js';
import { forEachTouch, SeenStates } from './seen-states.js';
import { SleepingSteps, withStep } from './sleeping-steps.js';

/**
 * Exhaustive search with dynamic partial-order reduction: of all executions that differ only in the order of steps
 * that don't touch the same state, one is run. Source sets and sleep sets (Abdulla, Aronis, Jonsson, Sagonas, POPL
 * 2014), with races over locks moved to the taking of the lock.
 *
 * The stack has a node for each step of the present execution: what ran, what was run there before, and what must
 * still be run there because a later step raced with the one that ran.
 */
export class Dpor implements Strategy {
  readonly name = 'dpor';
  readonly accesses = new AccessLog();
  prefix = 0;
  exhausted = false;
  /** Nodes made: the different prefixes of executions that were looked at. */
  states = 0;
  private readonly limit: number;
  private readonly agent: Int32Array;
  private readonly enabled: Int32Array;
  private readonly backtrack: Int32Array;
  private readonly done: Int32Array;
  private readonly dead: Int32Array;
  private readonly given: Int32Array;
  private readonly logStart: Int32Array;
  private readonly decisionStart: Int32Array;
  private readonly decisions = new Decisions();
  private readonly clocks: Clocks;
  private readonly races: Races;
  private readonly sleeping: SleepingSteps;
  private readonly initials: Initials;
  private depth = 0;
  private nodes = 0;
  private floor = 0;
  /** The latest node from which anything was given away, -1 for none: of what lies before it not all is explored here. */
  private lastGiven = -1;
  private started = false;
  private prepared = false;
  private resuming = false;
  private watched: States | undefined;
  private readonly seen = new SeenStates();
  private readonly memories: Memories;

  /** @param maxSteps the longest execution that will be run. */
  constructor(maxSteps: number) {
    const column = (): Int32Array => new Int32Array(maxSteps + 2);
    this.limit = maxSteps;
    this.agent = column();
    this.enabled = column();
    this.backtrack = column();
    this.done = column();
    this.dead = column();
    this.given = column();
    this.logStart = column();
    this.decisionStart = column();
    this.clocks = new Clocks(maxSteps + 1);
    this.memories = new Memories(this.accesses, maxSteps + 2);
    this.initials = new Initials(this.clocks, this.agent);
    this.races = new Races(this.accesses, this.clocks, this.agent);
    this.sleeping = new SleepingSteps(MAX_AGENTS, maxSteps + 2);
  }

  /** @inheritdoc */
  watch(watched: States): void {
    this.watched = watched;
  }

  /** Shares the states that were seen with other searches of the same model. @param memory zeros, or what they have put there. */
  shareStates(memory: SharedArrayBuffer): void {
    this.seen.share(memory);
  }

  /** @inheritdoc */
  begin(): boolean {
    this.prepare();
    if (this.exhausted) return false;
    this.prepared = false;
    this.started = true;
    this.prefix = this.resuming ? 0 : Math.max(0, this.nodes - 1);
    this.depth = this.prefix;
    this.accesses.current = this.prefix;
    this.decisions.begin();
    return true;
  }

  /** @inheritdoc */
  repeated(step: number): number {
    return this.agent[step] ?? 0;
  }

  /** @inheritdoc */
  pick(ready: number, last: number): number {
    const { depth } = this;
    if (depth < this.nodes) {
      if (this.resuming) this.logStart[depth] = this.accesses.length;
      const agent = this.agent[depth] ?? 0;
      if (hasAgent(ready, agent)) return agent;
      return agent === 0 ? PRUNED : this.repick(depth, ready);
    }
    const candidates = ready & ~this.sleeping.at(depth);
    if (candidates === 0 || this.known(depth, ready)) return PRUNED;
    this.makeNode(depth, ready, candidates, last);
    return this.agent[depth] ?? 0;
  }

  /** @inheritdoc */
  blocked(agent: number, lock: number): void {
    const { depth } = this;
    this.races.findWaiting(depth, agent, lock);
    const { locks } = this.races;
    for (let i = 0; i < locks.count; i++)
      this.reverse(locks.at(i), agent, this.races.rowWithout(locks.at(i)));
    this.repick(depth, this.enabled[depth] ?? 0);
  }

  /** @inheritdoc */
  stepped(agent: number, woken: number): void {
    this.afterEvent(this.depth, agent, woken);
    this.accesses.current = ++this.depth;
  }

  /** @inheritdoc */
  choose(options: number): number {
    return this.decisions.choose(options);
  }

  /** @inheritdoc */
  end(): void {
    this.resuming = false;
  }

  /** Begins the search anew, with the memory that it has. */
  restart(): void {
    this.accesses.truncate(0);
    this.decisions.restore({ values: [], options: [] });
    this.sleeping.close(0);
    this.seen.clear();
    this.nodes = 0;
    this.floor = 0;
    this.lastGiven = -1;
    this.states = 0;
    this.started = false;
    this.prepared = false;
    this.resuming = false;
    this.exhausted = false;
  }

  /** A copy of the state between two executions, as plain data, for {@link resume}. */
  save(): DporState {
    this.prepare();
    return this.saveNodes(this.nodes);
  }

  /**
   * Gives a part of the search away, between two executions: what follows where another agent runs at the earliest node that has
   * one left. What is left of this search and the part need nothing of each other: at that node every agent is run by one of the two,
   * and at those before it nothing is left, so that races which are found later can ask for nothing new there. The agents that
   * were run at the node are asleep in the part.
   * @returns the state for {@link resume} of another strategy, undefined where there is nothing to be given away.
   */
  split(): DporState | undefined {
    this.prepare();
    for (let node = this.floor; node < this.nodes - 1; node++) {
      const others = (this.enabled[node] ?? 0) & ~(this.neverAt(node) | (1 << (this.agent[node] ?? 0)));
      if (others === 0) continue;
      const asked = others & (this.backtrack[node] ?? 0);
      return this.giveAway(node, lowestAgent(asked === 0 ? others : asked));
    }
    return undefined;
  }

  private giveAway(node: number, agent: number): DporState {
    const running = this.agent[node] ?? 0;
    const decided = this.decisionStart[node] ?? 0;
    const state = { ...this.saveNodes(node + 1), states: 0, decisions: this.decisions.save(decided) };
    this.given[node] = (this.given[node] ?? 0) | (1 << agent);
    this.lastGiven = Math.max(this.lastGiven, node);
    // What races of the part would ask for at this node is run here.
    this.backtrack[node] = (this.backtrack[node] ?? 0) | (this.enabled[node] ?? 0);
    // What a step touches that decides something is known when all its decisions were tried.
    if (decided !== this.decisionStart[node + 1]) return partOf(state, node, agent, 0);
    const step = this.accesses.between(this.logStart[node] ?? 0, this.logStart[node + 1] ?? 0);
    const sleeping = withStep(state.sleeping, node, running, step);
    return partOf({ ...state, sleeping }, node, agent, 1 << running);
  }

  private saveNodes(nodes: number): DporState {
    const column = (values: Int32Array): number[] => Array.from(values.subarray(0, nodes));
    return {
      states: this.states,
      started: this.started,
      exhausted: this.exhausted,
      agent: column(this.agent),
      enabled: column(this.enabled),
      backtrack: column(this.backtrack),
      done: column(this.done),
      dead: column(this.dead),
      given: column(this.given),
      decisionStart: column(this.decisionStart),
      decisions: this.decisions.save(),
      sleeping: this.sleeping.save(nodes),
      floor: this.floor,
    };
  }

  /** Goes on from a saved state, in a strategy that has not run yet. */
  resume(state: DporState): void {
    this.agent.set(state.agent);
    this.enabled.set(state.enabled);
    this.backtrack.set(state.backtrack);
    this.done.set(state.done);
    this.dead.set(state.dead);
    this.given.set(state.given);
    this.floor = state.floor;
    this.decisionStart.set(state.decisionStart);
    this.decisions.restore(state.decisions);
    this.sleeping.restore(state.sleeping);
    this.nodes = state.agent.length;
    this.states = state.states;
    this.started = state.started;
    this.exhausted = state.exhausted;
    this.prepared = true;
    // The first execution makes the accesses and clocks of the steps on the stack anew.
    this.resuming = true;
  }

  /** Goes back to what is to be run next, once between two executions. */
  private prepare(): void {
    if (this.prepared) return;
    if (this.started && !this.advance()) this.exhausted = true;
    this.prepared = true;
  }

  /** Looks at the event that has just happened: its races, its clock, and who stays asleep after it. */
  private afterEvent(depth: number, agent: number, woken: number): void {
    const { races } = this;
    races.find(depth, this.logStart[depth] ?? 0);
    const { plain, locks } = races;
    for (let i = 0; i < plain.count; i++) this.reverse(plain.at(i), agent, races.row);
    for (let i = 0; i < locks.count; i++) this.reverse(locks.at(i), agent, races.rowWithout(locks.at(i)));
    this.clocks.commit(depth, agent, races.row, woken);
    if (this.watched !== undefined)
      this.memories.stepped(depth, agent, this.logStart[depth] ?? 0, this.watched);
    const explored = (this.done[depth] ?? 0) & ~(this.dead[depth] ?? 0);
    this.sleeping.inherit(depth, explored, agent, this.accesses);
  }

  private makeNode(depth: number, ready: number, candidates: number, last: number): void {
    if (depth > this.limit) throw new HmmError('MAX_STEPS', 'an execution is longer than said', { depth });
    while (ready >>> this.clocks.width !== 0) this.clocks.widen();
    const agent = this.watched?.prefer(candidates, last) ?? continuing(candidates, last);
    this.agent[depth] = agent;
    this.enabled[depth] = ready;
    this.backtrack[depth] = 1 << agent;
    this.done[depth] = 0;
    this.dead[depth] = 0;
    this.given[depth] = 0;
    this.logStart[depth] = this.accesses.length;
    this.decisionStart[depth] = this.decisions.count;
    this.sleeping.open(depth);
    this.nodes = depth + 1;
    this.states++;
  }

  /**
   * Whether everything that can follow was explored before. What conflicts with it is then seen to: what could be run first is known
   * as far as the steps up to here go.
   */
  private known(depth: number, ready: number): boolean {
    const { watched } = this;
    // Where one agent is left, it was so at the step before, too, and there it was asked.
    if ((ready & (ready - 1)) === 0 && depth > 0 && this.enabled[depth - 1] === ready) return false;
    const key = watched?.key(this.memories.go(depth), ready);
    if (watched === undefined || key === undefined) return false;
    const footprint = this.seen.visit(watched, key, depth, this.sleeping.at(depth));
    if (footprint === undefined) return false;
    forEachTouch(footprint, (object, agent, mode) => {
      const { found } = this.races.findLater(depth, object, agent, mode);
      for (let i = 0; i < found.count; i++)
        this.askFor(found.at(i), this.initials.after(found.at(i), depth), 0);
    });
    return true;
  }

  /** The agents that are not to be run at a node: they were, cannot, need not, or are run elsewhere. */
  private neverAt(node: number): number {
    const done = (this.done[node] ?? 0) | (this.dead[node] ?? 0);
    return done | (this.given[node] ?? 0) | this.sleeping.at(node);
  }

  /** Another choice at the last node, whose choice turned out not to be able to run. */
  private repick(depth: number, ready: number): number {
    const agent = this.agent[depth] ?? 0;
    const fresh = this.backtrack[depth] === 1 << agent && this.done[depth] === 0;
    this.dead[depth] = (this.dead[depth] ?? 0) | (1 << agent);
    const never = this.neverAt(depth);
    const others = ready & ~never;
    const next = others === 0 ? 0 : lowestAgent(others);
    // A first choice is as good as any other; one that a race asked for stands for all that could run.
    if (fresh) this.backtrack[depth] = next === 0 ? 0 : 1 << next;
    else this.backtrack[depth] = (this.backtrack[depth] ?? 0) | others;
    this.agent[depth] = next;
    return next === 0 ? PRUNED : next;
  }

  /**
   * Sees to it that the race of `later`, which comes now, with the earlier event is also run the other way round:
   * before `earlier`, one of the agents that could begin such an execution must run. One that is asleep there does not do: what it
   * touches may depend on `earlier` (a lock that is tried), so that others may have to come before it that need not here.
   */
  private reverse(earlier: number, later: number, row: Int32Array): void {
    const initials = this.initials.after(earlier, this.depth);
    this.askFor(earlier, initials | this.initials.ifFree(later, row), 1 << later);
  }

  /** Sees to it that one of the agents `initials` is run at a node, which of them may as well be one of `better`; all, if none of them can. */
  private askFor(node: number, initials: number, better: number): void {
    const backtrack = this.backtrack[node] ?? 0;
    const asleep = this.sleeping.at(node);
    if ((initials & backtrack & ~asleep) !== 0) return;
    const enabled = this.enabled[node] ?? 0;
    const able = initials & enabled & ~asleep;
    if (able === 0) this.backtrack[node] = backtrack | enabled;
    else this.backtrack[node] = backtrack | (1 << lowestAgent((able & better) === 0 ? able : able & better));
  }

  /** Goes back to the latest node where something is left to run; false when there is none. */
  private advance(): boolean {
    while (this.nodes > this.floor) {
      const node = this.nodes - 1;
      if (this.advanceAt(node)) return true;
      this.sleeping.close(node);
      if (this.watched !== undefined) this.seen.close(this.watched, node, node > this.lastGiven);
      this.nodes = node;
    }
    return false;
  }

  private advanceAt(node: number): boolean {
    const { accesses, sleeping } = this;
    const agent = this.agent[node] ?? 0;
    const from = this.logStart[node] ?? 0;
    if (agent !== 0) this.noteTaken(from, agent);
    const decides = agent !== 0 && this.decisions.advance(this.decisionStart[node] ?? 0);
    if (agent !== 0 && !decides) this.done[node] = (this.done[node] ?? 0) | (1 << agent);
    const never = this.neverAt(node);
    const candidates = (this.backtrack[node] ?? 0) & ~never;
    const more = decides || candidates !== 0;
    // What was run sleeps while the others run; at a node that is left for good nobody does.
    if (more && agent !== 0) sleeping.record(node, agent, accesses, from);
    accesses.truncate(from);
    if (more && !decides) this.agent[node] = lowestAgent(candidates);
    return more;
  }

  /** The step of `agent` whose accesses begin at `from` is taken back. */
  private noteTaken(from: number, agent: number): void {
    if (this.watched === undefined) return;
    const { length, object, mode } = this.accesses;
    for (let i = from; i < length; i++) this.seen.note(object[i] ?? 0, agent, mode[i] ?? 0);
  }
}
