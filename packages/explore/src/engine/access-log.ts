import type { AccessObserver } from '@hmm/kernel/internal';

/** The access wrote. */
export const ACCESS_WRITE = 1;
/** The access took a lock that it would have waited for. */
export const ACCESS_ACQUIRE = 2;
/** The access dropped a lock. */
export const ACCESS_RELEASE = 4;
/** The access was no waiting for a lock: a look, a change, or a lock taken only if it was free. */
export const ACCESS_TRY = 8;

/** A count went up. */
export const ACCESS_UP = 16;
/** A count went down. */
export const ACCESS_DOWN = 32;

/** Whether the order of two accesses to one object matters: something changes, and not just a count twice the same way. */
export function conflicting(mode: number, other: number): boolean {
  if (((mode | other) & (ACCESS_WRITE | ACCESS_UP | ACCESS_DOWN)) === 0) return false;
  return mode !== other || (mode !== ACCESS_UP && mode !== ACCESS_DOWN);
}

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
  /** Column: the object. */
  object: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** Column: `ACCESS_*` bits. */
  mode: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** Column: the event. */
  event: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** Column: the entry of the same object before this one, -1 for none. */
  previous: Int32Array = new Int32Array(FIRST_CAPACITY);
  /** By object, which are small numbers: its latest entry, -1 for none. */
  latest: Int32Array = new Int32Array(FIRST_CAPACITY).fill(-1);
  /** The event that is running. */
  current = 0;
  /** Column: whether the object was accessed after its agent had forgotten what it knew of it, in the same event. */
  again = new Uint8Array(FIRST_CAPACITY);
  /** The entries of the running event from this one on are of what its agent has accessed since it forgot. */
  mark = 0;
  /** Whether anything was written since this was last set to false, other than by taking and dropping locks. */
  wrote = false;

  /** @inheritdoc */
  access(object: number, write: boolean): void {
    if (write) this.wrote = true;
    this.note(object, write ? ACCESS_WRITE | ACCESS_TRY : ACCESS_TRY);
  }

  /** @inheritdoc */
  count(object: number, down: boolean): void {
    this.wrote = true;
    this.note(object, down ? ACCESS_DOWN : ACCESS_UP);
  }

  /** @inheritdoc */
  acquire(lock: number, write: boolean): void {
    this.note(lock, write ? ACCESS_WRITE | ACCESS_ACQUIRE : ACCESS_ACQUIRE);
  }

  /** @inheritdoc */
  release(lock: number, write: boolean): void {
    this.note(lock, write ? ACCESS_WRITE | ACCESS_RELEASE : ACCESS_RELEASE);
  }

  /** @inheritdoc */
  forget(): void {
    for (let i = this.length - 1; i >= 0 && this.event[i] === this.current; i--) this.again[i] = 0;
    this.mark = this.length;
  }

  /** A copy of the entries from `from` up to `to`: what they touched, and how. */
  between(from: number, to: number): { readonly object: number[]; readonly mode: number[] } {
    return {
      object: Array.from(this.object.subarray(from, to)),
      mode: Array.from(this.mode.subarray(from, to)),
    };
  }

  /** Takes back all entries from `length` on. */
  truncate(length: number): void {
    const { latest, object, previous } = this;
    for (let i = this.length - 1; i >= length; i--) latest[object[i] ?? 0] = previous[i] ?? -1;
    this.length = length;
  }

  private note(object: number, mode: number): void {
    if (object >= this.latest.length) this.widen(object);
    const before = this.latest[object] ?? -1;
    if (before >= 0 && this.event[before] === this.current) {
      this.mode[before] = (this.mode[before] ?? 0) | mode;
      this.again[before] = 1;
      return;
    }
    const at = this.length;
    if (at === this.object.length) this.grow();
    this.object[at] = object;
    this.mode[at] = mode;
    this.event[at] = this.current;
    this.again[at] = 0;
    this.previous[at] = before;
    this.latest[object] = at;
    this.length = at + 1;
  }

  /** Makes room for an object with a greater number than all before. */
  private widen(object: number): void {
    const known = this.latest.length;
    this.latest = widened(this.latest, 2 * object);
    this.latest.fill(-1, known);
  }

  private grow(): void {
    const length = 2 * this.object.length;
    this.object = widened(this.object, length);
    this.mode = widened(this.mode, length);
    this.event = widened(this.event, length);
    const again = new Uint8Array(length);
    again.set(this.again);
    this.again = again;
    this.previous = widened(this.previous, length);
  }
}

/** A copy of a column with room for `length` entries. */
function widened(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(length);
  copy.set(column);
  return copy;
}
