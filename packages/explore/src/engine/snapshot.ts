import { PageTablePool, type PageTablePoolState } from '@hmm/kernel';

type Typed = Int32Array | Uint32Array | Float64Array | Uint8Array | Uint16Array;

interface SavedArray {
  readonly array: unknown[];
  readonly items: readonly unknown[];
}

interface SavedTyped {
  readonly typed: Typed;
  /** The words from the first to the last that is not 0. */
  readonly from: number;
  readonly words: Typed;
}

interface SavedPool {
  readonly pool: PageTablePool;
  readonly state: PageTablePoolState;
}

interface SavedMap {
  readonly map: Map<unknown, unknown>;
  readonly entries: readonly (readonly [unknown, unknown])[];
}

interface SavedSet {
  readonly set: Set<unknown>;
  readonly members: readonly unknown[];
}

const isTyped = (value: object): value is Typed => ArrayBuffer.isView(value) && !(value instanceof DataView);

/**
 * The state of everything that can be reached from some objects, and a way back to it: fields are set back in place, so
 * that whoever holds one of the objects sees the old state. Objects that came into being since are forgotten.
 *
 * Functions and generators are taken to have no state of their own.
 */
export class Snapshot {
  private readonly objects: (readonly [object: object, fields: object])[] = [];
  private readonly arrays: SavedArray[] = [];
  private readonly typed: SavedTyped[] = [];
  private readonly pools: SavedPool[] = [];
  private readonly maps: SavedMap[] = [];
  private readonly sets: SavedSet[] = [];

  /** @param roots where to begin. @param except objects not to enter. */
  constructor(roots: readonly object[], except: readonly object[] = []) {
    const seen = new Set<object>(except);
    const queue: object[] = [];
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null || seen.has(value)) return;
      seen.add(value);
      queue.push(value);
    };
    for (const root of roots) visit(root);
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) this.save(at, visit);
  }

  /** Sets everything back. */
  restore(): void {
    for (const [object, fields] of this.objects) Object.assign(object, fields);
    for (const { array, items } of this.arrays) restoreArray(array, items);
    for (const saved of this.typed) restoreTyped(saved);
    for (const { pool, state } of this.pools) pool.restore(state);
    for (const { map, entries } of this.maps) {
      map.clear();
      for (const [key, value] of entries) map.set(key, value);
    }
    for (const { set, members } of this.sets) {
      set.clear();
      for (const member of members) set.add(member);
    }
  }

  private save(value: object, visit: (value: unknown) => void): void {
    if (isTyped(value)) this.typed.push(saveTyped(value));
    // Page tables know how much of them is in use.
    else if (value instanceof PageTablePool) this.pools.push({ pool: value, state: value.save() });
    else if (Array.isArray(value)) {
      const array: unknown[] = value;
      this.arrays.push({ array, items: array.slice() });
      array.forEach(visit);
    } else if (value instanceof Map) {
      const entries = [...value.entries()];
      this.maps.push({ map: value, entries });
      for (const [key, item] of entries) {
        visit(key);
        visit(item);
      }
    } else if (value instanceof Set) {
      this.sets.push({ set: value, members: [...value] });
      value.forEach(visit);
    } else if (Object.prototype.toString.call(value) === '[object Object]') this.saveObject(value, visit);
  }

  private saveObject(value: object, visit: (value: unknown) => void): void {
    const object = value as Record<string, unknown>;
    const fields = Object.entries(object).filter(([, held]) => typeof held !== 'function');
    if (fields.length === 0) return;
    this.objects.push([object, Object.fromEntries(fields)]);
    for (const [, held] of fields) visit(held);
  }
}

function restoreArray(array: unknown[], items: readonly unknown[]): void {
  while (array.length > items.length) array.pop();
  for (let i = 0; i < items.length; i++) array[i] = items[i];
}

/** Arrays up to this size, in bytes, are copied whole: one call is faster than three. */
const WHOLE_BYTES = 16_384;

function saveTyped(typed: Typed): SavedTyped {
  if (typed.byteLength <= WHOLE_BYTES) return { typed, from: 0, words: typed.slice() };
  let from = 0;
  while (from < typed.length && typed[from] === 0) from++;
  let to = typed.length;
  while (to > from && typed[to - 1] === 0) to--;
  return { typed, from, words: typed.slice(from, to) };
}

function restoreTyped({ typed, from, words }: SavedTyped): void {
  if (from > 0) typed.fill(0, 0, from);
  typed.set(words, from);
  if (from + words.length < typed.length) typed.fill(0, from + words.length);
}
