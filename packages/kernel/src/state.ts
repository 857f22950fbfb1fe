import { HmmError } from './error.js';
import type { StateHash } from './state-hash.js';

/**
 * How a field of a class counts as state of the machine. What a field refers to is followed, but where it is `outside`: arrays,
 * maps, sets, typed arrays and plain records by their contents, objects of a class by what the class declares.
 *
 * - `value`: saved, set back, hashed.
 * - `count`: as `value`; a whole number that is not negative.
 * - `frame`: as `value`; a frame's number, which enters a hash under the frame's name.
 * - `constant`: set by the constructor alone: hashed, and what it refers to is saved.
 * - `frames`: as `constant`; all numbers in it are those of frames.
 * - `{ saved: why }`: saved and set back, yet not hashed: nothing that follows depends on it, or the class folds it itself.
 * - `{ hashed: why }`: hashed, yet not set back: somebody else does that.
 * - `{ outside: why }`: no state of this object, or none that this mechanism has to know.
 */
export type FieldState =
  | 'value'
  | 'count'
  | 'frame'
  | 'constant'
  | 'frames'
  | { readonly saved: string }
  | { readonly hashed: string }
  | { readonly outside: string };

/** The state of a class: each of its fields by name, private ones too. */
export type StateFields = Readonly<Record<string, FieldState>>;

/** A part of a saved state that a class has saved itself. */
export interface SavedPart {
  /** Sets it back. */
  restore(): void;
  /** What was saved besides the declared fields, as plain data: to be compared. */
  readonly words?: unknown;
}

/**
 * What a class does itself: for columns of which only a part is in use, and where an exploration sets the state back so often that
 * the general way would be felt. A class that saves itself sets all its fields back that are saved; whether it does is compared.
 */
export interface OwnState {
  save?(object: object): SavedPart;
  fold?(object: object, hash: StateHash): void;
}

/** What a class has as `static readonly state`. */
export interface StateDeclaration {
  readonly fields: StateFields;
  readonly own: OwnState;
}

/**
 * Declares the state of a class, in the class: `static readonly state = declareState({ … })`. A subclass declares its own fields, and
 * has those of its base besides.
 */
export function declareState(fields: StateFields, own: OwnState = {}): StateDeclaration {
  return { fields, own };
}

/** What a class does itself about its state, with objects of the class as parameters. */
export function ownState<T extends object>(
  type: abstract new (...args: never[]) => T,
  own: { readonly save?: (object: T) => SavedPart; readonly fold?: (object: T, hash: StateHash) => void },
): OwnState {
  const { save, fold } = own;
  const typed = (object: object): T => {
    if (object instanceof type) return object;
    throw new HmmError('STATE_TYPE', `a ${object.constructor.name} is no ${type.name}`);
  };
  return {
    ...(save === undefined ? {} : { save: (object: object): SavedPart => save(typed(object)) }),
    ...(fold === undefined
      ? {}
      : {
          fold: (object: object, hash: StateHash): void => {
            fold(typed(object), hash);
          },
        }),
  };
}

/** What a class and its bases declare, by the part that each field plays. */
export interface ClassState {
  readonly name: string;
  /** Names of the fields that are saved. */
  readonly saved: readonly string[];
  /** Names of the fields that are not set back but followed. */
  readonly followed: readonly string[];
  /** Names of the fields whose words or references enter a hash; those of frames are not among them. */
  readonly hashed: readonly string[];
  readonly frames: readonly string[];
  readonly counts: readonly string[];
  readonly own: OwnState;
}

/** What the classes declare, looked up once each; and whether their objects have the fields that they declare. */
export class DeclaredStates {
  private readonly known = new Map<object, ClassState>();

  /**
   * What the class of `object` declares; undefined for a plain record.
   * @param path where the object was found, for messages.
   * @throws HmmError `UNDECLARED_STATE` where the class declares none, or an object of it has a field that is not declared
   * or lacks one that is.
   */
  of(object: object, path: string): ClassState | undefined {
    const prototype = Object.getPrototypeOf(object) as object | null;
    if (prototype === null || prototype === Object.prototype) return undefined;
    const known = this.known.get(prototype);
    if (known !== undefined) return known;
    const state = classState(object, prototype, path);
    this.known.set(prototype, state);
    return state;
  }
}

function classState(object: object, prototype: object, path: string): ClassState {
  const fields: Record<string, FieldState> = {};
  let own: OwnState = {};
  const { name } = prototype.constructor;
  for (let at: object | null = prototype; at !== null && at !== Object.prototype; at = basePrototype(at)) {
    const declaration = declarationOf(at.constructor);
    if (declaration === undefined) throw undeclared(path, `class ${at.constructor.name} declares no state`);
    Object.assign(fields, declaration.fields, { ...fields });
    own = { ...declaration.own, ...own };
  }
  for (const field of Object.keys(object))
    if (!Object.hasOwn(fields, field))
      throw undeclared(path, `class ${name} has a field "${field}" that its state does not declare`);
  for (const field of Object.keys(fields))
    if (!Object.hasOwn(object, field))
      throw undeclared(path, `class ${name} declares a field "${field}" that it does not have`);
  const which = (part: (kind: FieldState) => boolean): string[] =>
    Object.keys(fields).filter((field) => part(fields[field] ?? 'value'));
  return {
    name,
    own,
    saved: which((kind) => kind === 'value' || kind === 'count' || kind === 'frame' || has(kind, 'saved')),
    followed: which((kind) => kind === 'constant' || kind === 'frames' || has(kind, 'hashed')),
    hashed: which(
      (kind) => kind === 'value' || kind === 'count' || kind === 'constant' || has(kind, 'hashed'),
    ),
    frames: which((kind) => kind === 'frame' || kind === 'frames'),
    counts: which((kind) => kind === 'count'),
  };
}

function has(kind: FieldState, key: string): boolean {
  return typeof kind === 'object' && Object.hasOwn(kind, key);
}

function basePrototype(prototype: object): object | null {
  return Object.getPrototypeOf(prototype) as object | null;
}

/** What a class itself declares. */
function declarationOf(type: object): StateDeclaration | undefined {
  if (!Object.hasOwn(type, 'state') || !('state' in type)) return undefined;
  const { state } = type;
  return isDeclaration(state) ? state : undefined;
}

function isDeclaration(state: unknown): state is StateDeclaration {
  return typeof state === 'object' && state !== null && 'fields' in state && 'own' in state;
}

function undeclared(path: string, what: string): HmmError {
  return new HmmError('UNDECLARED_STATE', `${path}: ${what}; see declareState of @hmm/kernel`, { path });
}
