import type { AccessObserver } from '@hmm/kernel';

/** The access wrote. */
export const ACCESS_WRITE = 1;
/** The access took a lock that it would have waited for. */
export const ACCESS_ACQUIRE = 2;
/** The access dropped a lock. */
export const ACCESS_RELEASE = 4;
/** The access was no waiting for a lock: a look, a change, or a lock taken only if it was free. */
export const ACCESS_TRY = 8;

/** Whether an event only dropped a lock that an earlier event took; one may also take and drop it within itself. */
export function isDropping(mode: number): boolean {
  return (mode & (ACCESS_RELEASE | ACCESS_ACQUIRE | ACCESS_TRY)) === ACCESS_RELEASE;
}

const FIRST_CAPACITY = 1024;

/**
 * The accesses to shared state of the execution so far, one entry for each object that an event (the step of one
 * agent) touched, with a chain through all entries of one object. Entries are taken back when the exploration goes
 * back to an earlier event.
 */
export class AccessLog implements AccessObserver {
  /** Entries. */
  length = 0;
  /** Column: the dense number of the object. */
  object = new Int32Array(FIRST_CAPACITY);
  /** Column: `ACCESS_*` bits. */
  mode = new Int32Array(FIRST_CAPACITY);
  /** Column: the event. */
  event = new Int32Array(FIRST_CAPACITY);
  /** Column: the entry of the same object before this one, -1 for none. */
  previous = new Int32Array(FIRST_CAPACITY);
  /** By object: its latest entry, -1 for none. */
  latest = new Int32Array(FIRST_CAPACITY).fill(-1);
  /** The event that is running. */
  current = 0;
  private readonly ids = new Map<number, number>();
  private lastId = -1;
  private lastDense = -1;

  /** @inheritdoc */
  access(object: number, write: boolean): void {
    this.note(object, write ? ACCESS_WRITE | ACCESS_TRY : ACCESS_TRY);
  }

  /** @inheritdoc */
  acquire(lock: number, write: boolean): void {
    this.note(lock, write ? ACCESS_WRITE | ACCESS_ACQUIRE : ACCESS_ACQUIRE);
  }

  /** @inheritdoc */
  release(lock: number, write: boolean): void {
    this.note(lock, write ? ACCESS_WRITE | ACCESS_RELEASE : ACCESS_RELEASE);
  }

  /** Takes back all entries from `length` on. */
  truncate(length: number): void {
    const { latest, object, previous } = this;
    for (let i = this.length - 1; i >= length; i--) latest[object[i] ?? 0] = previous[i] ?? -1;
    this.length = length;
  }

  /** The latest entry of an object, -1 for none. */
  latestOf(object: number): number {
    return this.latest[this.dense(object)] ?? -1;
  }

  /** The names of the objects seen, in the order of their dense numbers; for checkpoints. */
  objects(): number[] {
    return [...this.ids.keys()];
  }

  /** Gives the objects of a checkpoint the numbers they had. */
  number(objects: readonly number[]): void {
    for (const object of objects) this.dense(object);
  }

  private note(object: number, mode: number): void {
    const dense = object === this.lastId ? this.lastDense : this.dense(object);
    const before = this.latest[dense] ?? -1;
    if (before >= 0 && this.event[before] === this.current) {
      this.mode[before] = (this.mode[before] ?? 0) | mode;
      return;
    }
    const at = this.length;
    if (at === this.object.length) this.grow();
    this.object[at] = dense;
    this.mode[at] = mode;
    this.event[at] = this.current;
    this.previous[at] = before;
    this.latest[dense] = at;
    this.length = at + 1;
  }

  private dense(object: number): number {
    let dense = this.ids.get(object);
    if (dense === undefined) {
      dense = this.ids.size;
      this.ids.set(object, dense);
      if (dense === this.latest.length) {
        const wider = new Int32Array(2 * dense).fill(-1);
        wider.set(this.latest);
        this.latest = wider;
      }
    }
    this.lastId = object;
    this.lastDense = dense;
    return dense;
  }

  private grow(): void {
    const wider = (column: Int32Array): Int32Array<ArrayBuffer> => {
      const copy = new Int32Array(2 * column.length);
      copy.set(column);
      return copy;
    };
    this.object = wider(this.object);
    this.mode = wider(this.mode);
    this.event = wider(this.event);
    this.previous = wider(this.previous);
  }
}
