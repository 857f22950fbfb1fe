type Typed = Int32Array | Uint32Array | Float64Array | Uint8Array | Uint16Array;

/** Objects with the same fields, and what each field held. */
interface ShapeGroup {
  readonly keys: readonly string[];
  readonly objects: Record<string, unknown>[];
  /** By key, by object. */
  readonly values: unknown[][];
}

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
  private readonly groups = new Map<string, ShapeGroup>();
  private readonly arrays: SavedArray[] = [];
  private readonly typed: SavedTyped[] = [];
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
    for (const { keys, objects, values } of this.groups.values()) restoreFields(keys, objects, values);
    for (const { array, items } of this.arrays) restoreArray(array, items);
    for (const saved of this.typed) restoreTyped(saved);
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
    const keys = Object.keys(object).filter((key) => typeof object[key] !== 'function');
    if (keys.length === 0) return;
    const name = keys.join();
    let group = this.groups.get(name);
    if (group === undefined) {
      group = { keys, objects: [], values: keys.map(() => []) };
      this.groups.set(name, group);
    }
    group.objects.push(object);
    for (const [i, key] of keys.entries()) {
      group.values[i]?.push(object[key]);
      visit(object[key]);
    }
  }
}

function restoreFields(
  keys: readonly string[],
  objects: Record<string, unknown>[],
  values: readonly (readonly unknown[])[],
): void {
  for (const [k, key] of keys.entries()) {
    const column = values[k] ?? [];
    for (let i = 0; i < objects.length; i++) {
      const object = objects[i];
      if (object !== undefined && object[key] !== column[i]) object[key] = column[i];
    }
  }
}

function restoreArray(array: unknown[], items: readonly unknown[]): void {
  array.length = items.length;
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
