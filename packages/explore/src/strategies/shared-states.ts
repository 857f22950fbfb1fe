/** A state from which everything was explored, but for what the agents asleep there begin with. */
export interface SeenState {
  readonly asleep: number;
  /** What follows, by the names of its objects: in pairs a cell and its modes. */
  readonly touched: Int32Array;
}

/** Words of the head: the number of words of records taken. */
const HEAD = 4;
/** Words of a record before what it touches: the halves of its key, who is asleep, how much it touches. */
const RECORD_HEAD = 4;
/** Of the words of the memory, the share of the hash table: one in so many. */
const SLOT_SHARE = 32;

/**
 * States that several threads know together, in memory that they share. A hash table of records that are written once: a record is whole
 * before its slot names it, so that nobody waits for anybody. Once the memory is full, each keeps what it sees to itself.
 */
export class SharedStates {
  private readonly words: Int32Array<SharedArrayBuffer>;
  private readonly slots: number;
  private readonly own = new Map<number, SeenState>();

  /** @param memory zeros at first. */
  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
    this.slots = 1 << (31 - Math.clz32(Math.max(1, Math.floor(this.words.length / SLOT_SHARE))));
  }

  /** States that this thread keeps to itself. */
  get size(): number {
    return this.own.size;
  }

  /** The state with a key. */
  get(key: number): SeenState | undefined {
    const at = Atomics.load(this.words, this.slotOf(key));
    if (at === 0) return this.own.get(key);
    const { words } = this;
    const from = at + RECORD_HEAD;
    return {
      asleep: words[at + 2] ?? 0,
      touched: Int32Array.from(words.subarray(from, from + (words[at + 3] ?? 0))),
    };
  }

  /** Makes a state known; an earlier one with this key is replaced. */
  set(key: number, state: SeenState): void {
    const { words } = this;
    const at = this.record(key, state);
    if (at === 0) {
      this.own.set(key, state);
      return;
    }
    for (;;) {
      const slot = this.slotOf(key);
      const before = Atomics.load(words, slot);
      if (before !== 0 && !this.isOf(before, key)) continue;
      if (Atomics.compareExchange(words, slot, before, at) === before) return;
    }
  }

  /** Writes a record. @returns where it is, 0 where there is no room for it. */
  private record(key: number, { asleep, touched }: SeenState): number {
    const { words, slots } = this;
    const length = RECORD_HEAD + touched.length;
    const first = HEAD + slots;
    // A table that is half full has short chains.
    if (Atomics.load(words, 1) > slots / 2) return 0;
    const at = first + Atomics.add(words, 0, length);
    if (at + length > words.length) {
      Atomics.sub(words, 0, length);
      return 0;
    }
    Atomics.add(words, 1, 1);
    words[at] = key | 0;
    words[at + 1] = Math.floor(key / 0x100000000);
    words[at + 2] = asleep;
    words[at + 3] = touched.length;
    words.set(touched, at + RECORD_HEAD);
    return at;
  }

  /** The slot that names the record with a key, or would. */
  private slotOf(key: number): number {
    const { words, slots } = this;
    const mask = slots - 1;
    let slot = (key ^ Math.floor(key / 0x100000000)) & mask;
    for (;;) {
      const at = Atomics.load(words, HEAD + slot);
      if (at === 0 || this.isOf(at, key)) return HEAD + slot;
      slot = (slot + 1) & mask;
    }
  }

  private isOf(at: number, key: number): boolean {
    return this.words[at] === (key | 0) && this.words[at + 1] === Math.floor(key / 0x100000000);
  }
}
