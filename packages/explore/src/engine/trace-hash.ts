import type { AccessObserver } from '@hmm/kernel/internal';

const SEED_LOW = 0x811c9dc5 | 0;
const SEED_HIGH = 0x1b873593 | 0;

const READ = 0;
const WRITE = 1;
const UP = 2;
const DOWN = 3;

/** One round of mixing; `k` differs between the two halves of the hash. */
function mix(hash: number, word: number, k: number): number {
  let h = Math.imul(hash ^ word, k);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) ^ (h >>> 12);
}

/**
 * A hash of what happened so far that is the same for all executions which differ only in the order of independent
 * steps (happens-before hashing, as in CHESS). Each agent's history is hashed with what it read; a write leaves the
 * writer's history in the object; reads one after the other, or counts the same way, add theirs commutatively. Equal hashes
 * mean, but for a chance of 2^-64 for each pair, equal states of the agents and of all that they share.
 */
export class TraceHash implements AccessObserver {
  /** The agent that is running. */
  current = 0;
  private readonly ids = new Map<number, number>();
  private written = new Int32Array(512);
  /** What the latest accesses of one kind that commute have added since. */
  private added = new Int32Array(512);
  /** By object: that kind. */
  private kinds = new Uint8Array(256);
  private readonly agents = new Int32Array(64);

  /** Forgets everything: an execution begins. */
  reset(): void {
    this.written.fill(0);
    this.added.fill(0);
    this.agents.fill(0);
    this.kinds.fill(0);
  }

  /** @inheritdoc */
  access(object: number, write: boolean): void {
    this.touch(object, write ? WRITE : READ);
  }

  /** @inheritdoc */
  count(object: number, down: boolean): void {
    this.touch(object, down ? DOWN : UP);
  }

  /** @inheritdoc */
  acquire(lock: number, write: boolean): void {
    this.access(lock, write);
  }

  /** @inheritdoc */
  release(lock: number, write: boolean): void {
    this.access(lock, write);
  }

  /** A decision inside the present step belongs to the agent's history. */
  decide(value: number): void {
    this.fold(0x5bd1 + value);
  }

  /** The present agent has come to the end of a step. */
  stepped(): void {
    this.fold(0x27d4);
  }

  /** Lower half of the hash of the state of all agents. */
  low(): number {
    return this.total(0, SEED_LOW);
  }

  /** Upper half. */
  high(): number {
    return this.total(1, SEED_HIGH);
  }

  private touch(object: number, kind: number): void {
    const dense = this.dense(object);
    if (2 * dense >= this.written.length) this.grow();
    const { current, kinds } = this;
    this.half(2 * dense, 2 * current, kind, 0x01000193);
    this.half(2 * dense + 1, 2 * current + 1, kind, 0x85ebca6b | 0);
    kinds[dense] = kind;
  }

  private half(at: number, agent: number, kind: number, k: number): void {
    const { written, added, agents } = this;
    if (kind !== this.kinds[at >>> 1]) {
      // What commuted so far comes before this access.
      written[at] = mix(written[at] ?? 0, added[at] ?? 0, k);
      added[at] = 0;
    }
    const h = mix(mix(agents[agent] ?? 0, 4 * at + kind, k), written[at] ?? 0, k);
    if (kind === WRITE) written[at] = h;
    else added[at] = ((added[at] ?? 0) + mix(h, 0x9e37, k)) | 0;
    agents[agent] = h;
  }

  private fold(word: number): void {
    const agent = 2 * this.current;
    this.agents[agent] = mix(this.agents[agent] ?? 0, word, 0x01000193);
    this.agents[agent + 1] = mix(this.agents[agent + 1] ?? 0, word, 0x85ebca6b | 0);
  }

  private total(lane: number, seed: number): number {
    let h = seed;
    for (let i = lane; i < this.agents.length; i += 2) h = mix(h, this.agents[i] ?? 0, 0xc2b2ae35 | 0);
    return h;
  }

  private dense(object: number): number {
    let dense = this.ids.get(object);
    if (dense === undefined) {
      dense = this.ids.size;
      this.ids.set(object, dense);
    }
    return dense;
  }

  private grow(): void {
    this.written = wider(this.written);
    this.added = wider(this.added);
    const kinds = new Uint8Array(2 * this.kinds.length);
    kinds.set(this.kinds);
    this.kinds = kinds;
  }
}

function wider(column: Int32Array): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(2 * column.length);
  copy.set(column);
  return copy;
}
