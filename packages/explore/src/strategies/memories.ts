import {
  ACCESS_ACQUIRE,
  ACCESS_DOWN,
  ACCESS_RELEASE,
  ACCESS_TRY,
  ACCESS_UP,
  ACCESS_WRITE,
  type AccessLog,
} from '../engine/access-log.js';
import type { Contents, Forgotten, Remembered, States } from '../engine/model.js';
import { MAX_AGENTS } from './dpor-state.js';

const NOTHING = -1;
const FIRST_CAPACITY = 1024;

/** One round of mixing; `k` differs between the two halves of a hash. */
function mix(hash: number, word: number, k: number): number {
  let h = Math.imul(hash ^ word, k);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) ^ (h >>> 12);
}

const LOW = 0x01000193;
const HIGH = 0x85ebca6b | 0;

/** Whether an access only dropped a lock: who does learns nothing. */
const onlyDrops = (mode: number): boolean =>
  (mode & (ACCESS_RELEASE | ACCESS_ACQUIRE | ACCESS_TRY)) === ACCESS_RELEASE;

/** Whether an access only counted. */
const onlyCounts = (mode: number): boolean => (mode & ~(ACCESS_UP | ACCESS_DOWN)) === 0;

/**
 * What each agent has in mind: a hash of all that it has read since it was last at rest. Its code is deterministic, so that
 * where it is and what its variables hold follow from that. Frames count by the order in which the agent came to know them, and
 * sequence numbers by what they were; both lists are kept, so that states in which they are other ones can be told to be alike.
 *
 * As the log of accesses, it goes back with the stack of nodes at no cost.
 */
export class Memories implements Remembered {
  /** By node and agent. */
  private readonly low: Int32Array;
  private readonly high: Int32Array;
  /** The agent's latest item, {@link NOTHING} for none. */
  private readonly head: Int32Array;
  /** By node: the number of items. */
  private readonly end: Int32Array;
  /** By item: the observed object whose sequence number was read, 0 for a frame. */
  private object: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** By item: the frame, or the number. */
  private value = new Int32Array(FIRST_CAPACITY);
  /** By item: the agent's item before it. */
  private before = new Int32Array(FIRST_CAPACITY);
  private items = 0;
  /** By entry of the log: what the object held after the event. */
  private word = new Int32Array(FIRST_CAPACITY);
  private more = new Int32Array(FIRST_CAPACITY);
  private frame = new Int32Array(FIRST_CAPACITY);
  private other = new Int32Array(FIRST_CAPACITY);
  private readonly found: Contents = { word: 0, more: 0, frame: 0, other: 0, sequence: undefined };
  private readonly now: Contents = { word: 0, more: 0, frame: 0, other: 0, sequence: undefined };
  private readonly log: AccessLog;
  private at = 0;
  private node = 0;

  constructor(log: AccessLog, maxNodes: number) {
    this.log = log;
    this.low = new Int32Array((maxNodes + 1) * MAX_AGENTS);
    this.high = new Int32Array((maxNodes + 1) * MAX_AGENTS);
    this.head = new Int32Array((maxNodes + 1) * MAX_AGENTS).fill(NOTHING);
    this.end = new Int32Array(maxNodes + 1);
  }

  /** `agent` has made the step of `node`; its accesses are the log's entries from `from` on. */
  stepped(node: number, agent: number, from: number, states: States): void {
    const { low, high, head } = this;
    const old = node * MAX_AGENTS;
    for (let i = old; i < old + MAX_AGENTS; i++) {
      low[i + MAX_AGENTS] = low[i] ?? 0;
      high[i + MAX_AGENTS] = high[i] ?? 0;
      head[i + MAX_AGENTS] = head[i] ?? NOTHING;
    }
    this.items = this.end[node] ?? 0;
    this.at = old + MAX_AGENTS + agent;
    this.fold(0x51ed);
    const { length } = this.log;
    while (this.word.length < length) this.widen();
    for (let i = from; i < length; i++) this.read(i, states);
    for (let i = from; i < length; i++) this.keep(i, states);
    const forgotten = states.forgot();
    if (states.resting(agent)) {
      low[this.at] = 0;
      high[this.at] = 0;
      head[this.at] = NOTHING;
    } else this.forget(agent, from, states, forgotten);
    this.end[node + 1] = this.items;
  }

  /** The agent goes back to what it knew before a step, and adds what it says, and what it has read since then in its step. */
  private forget(agent: number, from: number, states: States, forgotten: Forgotten | undefined): void {
    if (forgotten === undefined) return;
    const { low, high, head, at } = this;
    const then = (forgotten.since - 1) * MAX_AGENTS + agent;
    low[at] = low[then] ?? 0;
    high[at] = high[then] ?? 0;
    head[at] = head[then] ?? NOTHING;
    this.fold(0x2f0b);
    for (const word of forgotten.words) this.fold(word);
    for (const frame of forgotten.frames) this.foldFrame(frame);
    const { length, mark, again } = this.log;
    for (let i = from; i < length; i++) if (i >= mark || again[i] === 1) this.read(i, states);
  }

  /** Goes to `node`, for {@link forEach}. */
  go(node: number): this {
    this.node = node;
    return this;
  }

  /** @inheritdoc */
  lowOf(agent: number): number {
    return this.low[this.node * MAX_AGENTS + agent] ?? 0;
  }

  /** @inheritdoc */
  highOf(agent: number): number {
    return this.high[this.node * MAX_AGENTS + agent] ?? 0;
  }

  /** @inheritdoc */
  forEach(agent: number, visit: (object: number, value: number) => void): void {
    let item = this.head[this.node * MAX_AGENTS + agent] ?? NOTHING;
    for (; item >= 0; item = this.before[item] ?? NOTHING)
      visit(this.object[item] ?? 0, this.value[item] ?? 0);
  }

  /** The agent learns what the object of an entry held. */
  private read(entry: number, states: States): void {
    const { found, now, log } = this;
    const object = log.object[entry] ?? 0;
    const mode = log.mode[entry] ?? 0;
    if (onlyDrops(mode)) return;
    const pfn = states.frameOf(object);
    if (pfn > 0) this.foldFrame(pfn);
    const previous = log.previous[entry] ?? NOTHING;
    const known = states.contents(object, now);
    if (onlyCounts(mode)) {
      if (known) this.fold(now.more);
      return;
    }
    const writes = (mode & ACCESS_WRITE) !== 0;
    if (!known) {
      this.fold(previous < 0 ? 0 : (this.word[previous] ?? 0));
      this.fold(previous < 0 ? 0 : (this.more[previous] ?? 0));
      return;
    }
    this.learn(now, writes);
    if (now.sequence !== undefined) this.add(object, now.sequence);
    if (!writes) return;
    if (previous < 0) states.initial(object, found);
    else {
      found.word = this.word[previous] ?? 0;
      found.more = this.more[previous] ?? 0;
      found.frame = this.frame[previous] ?? 0;
      found.other = this.other[previous] ?? 0;
    }
    this.learn(found, true);
  }

  /** @param writes whether it learns all, or not what says nothing to those who only read. */
  private learn({ word, more, frame, other }: Contents, writes: boolean): void {
    this.fold(word);
    if (writes) this.fold(more);
    this.foldFrame(frame);
    this.foldFrame(other);
  }

  /** Keeps what the object of an entry holds now. */
  private keep(entry: number, states: States): void {
    const { log, now } = this;
    const previous = log.previous[entry] ?? NOTHING;
    if (states.contents(log.object[entry] ?? 0, now)) {
      this.word[entry] = now.word;
      this.more[entry] = now.more;
      this.frame[entry] = now.frame;
      this.other[entry] = now.other;
      return;
    }
    // What it holds follows from what it held and from all that the writers had in mind.
    const mode = log.mode[entry] ?? 0;
    let word = previous < 0 ? 0 : (this.word[previous] ?? 0);
    let more = previous < 0 ? 0 : (this.more[previous] ?? 0);
    const low = this.low[this.at] ?? 0;
    const high = this.high[this.at] ?? 0;
    if (onlyCounts(mode)) {
      word = (word + mix(low, 0x9e37, LOW)) | 0;
      more = (more + mix(high, 0x9e37, HIGH)) | 0;
    } else if ((mode & ACCESS_WRITE) !== 0) {
      word = mix(word, low, LOW);
      more = mix(more, high, HIGH);
    }
    this.word[entry] = word;
    this.more[entry] = more;
  }

  private fold(word: number): void {
    const { low, high, at } = this;
    low[at] = mix(low[at] ?? 0, word, LOW);
    high[at] = mix(high[at] ?? 0, word, HIGH);
  }

  /** The agent comes upon a frame: the which of those that it knows. */
  private foldFrame(pfn: number): void {
    if (pfn <= 0) {
      this.fold(0);
      return;
    }
    let back = 1;
    let item = this.head[this.at] ?? NOTHING;
    for (; item >= 0; item = this.before[item] ?? NOTHING) {
      if (this.object[item] === 0 && this.value[item] === pfn) break;
      back++;
    }
    this.fold(item < 0 ? -1 : back);
    if (item < 0) this.add(0, pfn);
  }

  private add(object: number, value: number): void {
    const item = this.items++;
    if (item === this.object.length) {
      this.object = wider(this.object);
      this.value = wider(this.value);
      this.before = wider(this.before);
    }
    this.object[item] = object;
    this.value[item] = value;
    this.before[item] = this.head[this.at] ?? NOTHING;
    this.head[this.at] = item;
  }

  private widen(): void {
    this.word = wider(this.word);
    this.more = wider(this.more);
    this.frame = wider(this.frame);
    this.other = wider(this.other);
  }
}

function wider(column: Int32Array): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(2 * column.length);
  copy.set(column);
  return copy;
}
