import { DeclaredStates } from './state.js';

const SEED_LOW = 0x811c9dc5 | 0;
const SEED_HIGH = 0x1b873593 | 0;

/** Names of frames, for states that differ only in which frames were handed out. */
export interface FrameNaming {
  /** The name of a frame, given when it is first asked for. */
  of(pfn: number): number;
}

/**
 * A hash of 53 bits of all state that can be reached from some objects, as their classes declare it. Objects count by what they
 * hold and where they are found, not by their identity: states that are built alike are equal.
 *
 * Functions and generators are taken to have no state of their own.
 */
export class StateHash {
  /** The names that frames have in it; undefined where they go by their numbers. */
  readonly naming: FrameNaming | undefined;
  private low = SEED_LOW;
  private high = SEED_HIGH;
  private readonly numbers = new Map<object, number>();
  private readonly queue: object[] = [];
  private readonly states = new DeclaredStates();
  private readonly except: ReadonlySet<object>;

  /** @param except objects not to enter. @param naming the names of frames, for a caller that folds their columns in another way. */
  constructor(except: readonly object[] = [], naming?: FrameNaming) {
    this.except = new Set(except);
    this.naming = naming;
  }

  /** The hash of what can be reached from `roots`, without what is in `except`. @throws HmmError `UNDECLARED_STATE` */
  static of(roots: readonly object[], except: readonly object[] = []): number {
    const hash = new StateHash(except);
    hash.add(roots);
    return hash.end();
  }

  /** Begins a hash. */
  begin(): void {
    this.low = SEED_LOW;
    this.high = SEED_HIGH;
    this.numbers.clear();
  }

  /** Folds all that can be reached from `roots` into it. @throws HmmError `UNDECLARED_STATE` */
  add(roots: readonly object[]): void {
    for (const root of roots) this.value(root);
    for (let at = this.queue.pop(); at !== undefined; at = this.queue.pop()) this.enter(at);
  }

  /** The hash. */
  end(): number {
    return (this.low >>> 0) + (this.high >>> 11) * 0x100000000;
  }

  /** Folds a number of 32 bits into it. */
  word(word: number): void {
    let low = Math.imul(this.low ^ word, 0x01000193);
    low ^= low >>> 15;
    this.low = low;
    let high = Math.imul(this.high ^ word, 0x85ebca6b | 0);
    high ^= high >>> 13;
    this.high = high;
  }

  /** Folds a frame into it: its name. */
  frame(pfn: number): void {
    this.word(this.naming === undefined ? pfn : this.naming.of(pfn));
  }

  /** Folds frames into it whose order does not matter. */
  frameSet(frames: readonly number[]): void {
    const { naming } = this;
    const names = naming === undefined ? [...frames] : frames.map((pfn) => naming.of(pfn));
    this.word(names.length);
    for (const name of names.sort((a, b) => a - b)) this.word(name);
  }

  private value(value: unknown): void {
    switch (typeof value) {
      case 'number':
        this.word(value | 0);
        if (value !== (value | 0)) this.word(Math.floor(value / 0x100000000));
        break;
      case 'boolean':
        this.word(value ? 3 : 5);
        break;
      case 'string':
        for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i));
        this.word(value.length);
        break;
      case 'object':
        if (value === null) this.word(7);
        else this.object(value);
        break;
      default:
        this.word(11);
    }
  }

  private object(value: object): void {
    let number = this.numbers.get(value);
    if (number === undefined) {
      number = this.numbers.size;
      this.numbers.set(value, number);
      if (!this.except.has(value)) this.queue.push(value);
    }
    this.word(number);
  }

  private enter(value: object): void {
    this.word(this.numbers.get(value) ?? 0);
    if (ArrayBuffer.isView(value)) {
      if (!(value instanceof DataView)) this.words(value as Int32Array);
    } else if (Array.isArray(value)) {
      this.word(value.length);
      for (const item of value) this.value(item);
    } else if (value instanceof Map) {
      for (const [key, item] of value) {
        this.value(key);
        this.value(item);
      }
      this.word(value.size);
    } else if (value instanceof Set) {
      for (const item of value) this.value(item);
      this.word(value.size);
    } else if (Object.prototype.toString.call(value) === '[object Object]') this.record(value);
  }

  private record(object: object): void {
    const held = object as Record<string, unknown>;
    const state = this.states.of(object, 'a state to be hashed');
    if (state === undefined) {
      for (const field of Object.keys(object)) this.value(held[field]);
      return;
    }
    for (const field of state.hashed) this.value(held[field]);
    for (const field of state.frames) this.framesIn(held[field]);
    state.own.fold?.(object, this);
  }

  /** All numbers in `value` are those of frames. */
  private framesIn(value: unknown): void {
    if (typeof value === 'number') this.frame(value);
    else if (Array.isArray(value)) {
      this.word(value.length);
      for (const item of value) this.framesIn(item);
    } else if (value instanceof Map) {
      this.word(value.size);
      for (const [key, item] of value) {
        this.value(key);
        this.framesIn(item);
      }
    }
  }

  /** The words that are not 0, and where they are. */
  private words(words: Int32Array): void {
    for (let i = 0; i < words.length; i++) {
      const word = words[i] ?? 0;
      if (word === 0) continue;
      this.word(i);
      this.word(word);
    }
  }
}
