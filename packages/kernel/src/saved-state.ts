import { HmmError } from './error.js';
import { type ClassState, DeclaredStates, type SavedPart } from './state.js';

type Typed = Int32Array | Uint32Array | Float64Array | Uint8Array | Uint16Array;

interface SavedObject {
  readonly object: Record<string, unknown>;
  readonly path: string;
  readonly fields: readonly string[];
  readonly values: readonly unknown[];
}

interface SavedArray {
  readonly array: unknown[];
  readonly path: string;
  readonly items: readonly unknown[];
}

interface SavedTyped {
  readonly typed: Typed;
  readonly path: string;
  /** The words from the first to the last that is not 0. */
  readonly from: number;
  readonly words: Typed;
}

interface SavedMap {
  readonly map: Map<unknown, unknown>;
  readonly path: string;
  readonly entries: readonly (readonly [unknown, unknown])[];
}

interface SavedSet {
  readonly set: Set<unknown>;
  readonly path: string;
  readonly members: readonly unknown[];
}

interface OwnPart {
  readonly object: object;
  readonly path: string;
  readonly state: ClassState;
  readonly part: SavedPart;
}

const isTyped = (value: object): value is Typed => ArrayBuffer.isView(value) && !(value instanceof DataView);

/**
 * All state that can be reached from some objects, as their classes declare it ({@link declareState}), and a way back to it: fields
 * are set back in place, so that whoever holds one of the objects sees the old state. Objects that came into being since are
 * forgotten.
 *
 * Functions and generators are taken to have no state of their own.
 */
export class SavedState {
  private readonly objects: SavedObject[] = [];
  /** What is not set back: only to be compared. */
  private readonly kept: SavedObject[] = [];
  private readonly arrays: SavedArray[] = [];
  private readonly typed: SavedTyped[] = [];
  private readonly maps: SavedMap[] = [];
  private readonly sets: SavedSet[] = [];
  private readonly own: OwnPart[] = [];
  private readonly states = new DeclaredStates();
  private readonly seen: Set<object>;
  private readonly queue: [object: object, path: string][] = [];

  /**
   * Saves what can be reached from `roots`.
   * @param except objects not to enter.
   * @throws HmmError `UNDECLARED_STATE` where a class, or a field of one, is not declared; `BAD_COUNT` where a count is none.
   */
  constructor(roots: readonly object[], except: readonly object[] = []) {
    this.seen = new Set(except);
    for (const [i, root] of roots.entries()) this.visit(root, root.constructor.name || `root ${i}`);
    for (let next = this.queue.pop(); next !== undefined; next = this.queue.pop()) this.save(...next);
    this.seen.clear();
  }

  /** Sets everything back. What classes save themselves goes first: it may depend on how far the rest has come. */
  restore(): void {
    const { own, objects, arrays, typed } = this;
    for (let i = 0; i < own.length; i++) own[i]?.part.restore();
    for (let i = 0; i < objects.length; i++) restoreObject(objects[i]);
    for (let i = 0; i < arrays.length; i++) restoreArray(arrays[i]);
    for (let i = 0; i < typed.length; i++) restoreTyped(typed[i]);
    if (this.maps.length > 0 || this.sets.length > 0) this.restoreCollections();
  }

  private restoreCollections(): void {
    for (const { map, entries } of this.maps) {
      map.clear();
      for (const [key, value] of entries) map.set(key, value);
    }
    for (const { set, members } of this.sets) {
      set.clear();
      for (const member of members) set.add(member);
    }
  }

  /** Where the present state differs from the saved one, as paths; empty when they are equal. Fields that never change are looked at, too. */
  differences(): string[] {
    const paths: string[] = [];
    const compare = (path: string, now: unknown, then: unknown): void => {
      if (!same(now, then)) paths.push(path);
    };
    for (const { object, path, fields, values } of [...this.objects, ...this.kept])
      for (const [i, field] of fields.entries()) compare(`${path}.${field}`, object[field], values[i]);
    for (const { array, path, items } of this.arrays) compare(path, array, items);
    for (const { typed, path, from, words } of this.typed) {
      const whole = typed.slice().fill(0);
      whole.set(words, from);
      compare(path, typed, whole);
    }
    for (const { map, path, entries } of this.maps) compare(path, [...map.entries()], entries);
    for (const { set, path, members } of this.sets) compare(path, [...set], members);
    for (const { object, path, state, part } of this.own)
      compare(path, state.own.save?.(object).words, part.words);
    return paths;
  }

  private visit(value: unknown, path: string): void {
    if (typeof value !== 'object' || value === null || this.seen.has(value)) return;
    this.seen.add(value);
    this.queue.push([value, path]);
  }

  private save(value: object, path: string): void {
    if (isTyped(value)) this.typed.push(saveTyped(value, path));
    else if (Array.isArray(value)) {
      const array: unknown[] = value;
      this.arrays.push({ array, path, items: array.slice() });
      for (const [i, item] of array.entries()) this.visit(item, `${path}[${i}]`);
    } else if (value instanceof Map) {
      const entries = [...value.entries()];
      this.maps.push({ map: value, path, entries });
      for (const [key, item] of entries) {
        this.visit(key, `${path}{key}`);
        this.visit(item, `${path}{}`);
      }
    } else if (value instanceof Set) {
      this.sets.push({ set: value, path, members: [...value] });
      for (const member of value) this.visit(member, `${path}{}`);
    } else if (Object.prototype.toString.call(value) === '[object Object]') this.saveObject(value, path);
  }

  private saveObject(value: object, path: string): void {
    const state = this.states.of(value, path);
    const object = value as Record<string, unknown>;
    const plain = state === undefined ? Object.keys(object) : [];
    const fields = (state?.saved ?? plain).filter((field) => typeof object[field] !== 'function');
    const kept = state?.followed ?? [];
    const valuesOf = (names: readonly string[]): unknown[] => names.map((field) => object[field]);
    const byItself = state?.own.save !== undefined;
    if (fields.length > 0)
      (byItself ? this.kept : this.objects).push({ object, path, fields, values: valuesOf(fields) });
    if (kept.length > 0) this.kept.push({ object, path, fields: kept, values: valuesOf(kept) });
    for (const field of [...fields, ...kept]) this.visit(object[field], `${path}.${field}`);
    if (state === undefined) return;
    for (const field of state.counts) assertCount(object[field], `${path}.${field}`);
    const part = state.own.save?.(value);
    if (part !== undefined) this.own.push({ object: value, path, state, part });
  }
}

/** @throws HmmError `BAD_COUNT` */
function assertCount(value: unknown, path: string): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return;
  throw new HmmError('BAD_COUNT', `${path} is a count, and is ${String(value)}`, { path });
}

// A field that is as it was is only read: that is faster than to write it.

function restoreObject(saved: SavedObject | undefined): void {
  if (saved === undefined) return;
  const { object, fields, values } = saved;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] ?? '';
    if (object[field] !== values[i]) object[field] = values[i];
  }
}

function restoreArray(saved: SavedArray | undefined): void {
  if (saved === undefined) return;
  const { array, items } = saved;
  // Setting the length would give the storage back, which the next execution would need again.
  while (array.length > items.length) array.pop();
  for (let i = 0; i < items.length; i++) if (array[i] !== items[i]) array[i] = items[i];
}

/** Arrays up to this size, in bytes, are copied whole: one call is faster than three. */
const WHOLE_BYTES = 16_384;
/** Arrays of so many words are set word by word, which is faster than a call. */
const FEW = 32;

function saveTyped(typed: Typed, path: string): SavedTyped {
  if (typed.byteLength <= WHOLE_BYTES) return { typed, path, from: 0, words: typed.slice() };
  let from = 0;
  while (from < typed.length && typed[from] === 0) from++;
  let to = typed.length;
  while (to > from && typed[to - 1] === 0) to--;
  return { typed, path, from, words: typed.slice(from, to) };
}

function restoreTyped(saved: SavedTyped | undefined): void {
  if (saved === undefined) return;
  const { typed, from, words } = saved;
  if (typed.length <= FEW) {
    for (let i = 0; i < words.length; i++) typed[i] = words[i] ?? 0;
    return;
  }
  if (from > 0) typed.fill(0, 0, from);
  typed.set(words, from);
  if (from + words.length < typed.length) typed.fill(0, from + words.length);
}

/** Whether two values are the same: objects of a class by identity, data by contents. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) || Array.isArray(a)) {
    const [left, right] = [a as ArrayLike<unknown>, b as ArrayLike<unknown>];
    if (left.length !== right.length) return false;
    for (let i = 0; i < left.length; i++) if (!same(left[i], right[i])) return false;
    return true;
  }
  if (Object.getPrototypeOf(a) !== Object.prototype) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => same(left[key], right[key]));
}
