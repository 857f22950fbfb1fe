import { HmmError } from './error.js';
import { EVENT_LANES, type EventMeaning } from './event-meaning.js';

/** What whoever emits an event has to say about it. */
export interface TracepointDeclaration {
  /** Meaning of the `value` column, with its unit; '' where the value is always 0. */
  readonly value: string;
  /** What an event is, `EVENT_*`: always, or by its value. */
  readonly means: EventMeaning | ((value: number) => EventMeaning);
  /** One clause for a user, without a full stop: `the driver has read a fault record`. */
  readonly says: string;
  /** What a value says, in words; '' for nothing. Left out where no value says anything. */
  readonly text?: (value: number, pages: number) => string;
  /** Why pages moved, of events that move pages. */
  readonly cause?: (value: number) => string;
  /** Number of the GPU, among its driver's, that an event of this value is of; -1 for none. Left out where no value says. */
  readonly gpu?: (value: number) => number;
  /** The lane in which it is drawn; {@link EVENT_LANES} by its meaning, else the subsystem's name, where it is left out. */
  readonly lane?: string;
}

/** A tracepoint: what its columns mean, for exports, explanations and people. */
export interface TracepointInfo extends TracepointDeclaration {
  /** Id: the value of the `kind` column. */
  readonly kind: number;
  /** The kernel's or the driver's own name, `subsystem:event`. */
  readonly name: string;
  readonly lane: string;
}

/** The last id that the `kind` column of a `Trace` can hold. */
const MAX_KIND = 65535;

const registry: TracepointInfo[] = [];
const byName = new Map<string, TracepointInfo>();

/**
 * Registers a tracepoint and returns its id. Registering a name again returns the id it has.
 * Ids depend on load order: anything written to a file uses names.
 * @throws HmmError `NO_MEANING` when the declaration leaves out what the event means or says: whoever reads it would go
 *   by nothing, and silently.
 */
export function defineTracepoint(name: string, declared: TracepointDeclaration): number {
  const known = byName.get(name);
  if (known !== undefined) return known.kind;
  if (registry.length > MAX_KIND)
    throw new HmmError('OUT_OF_TRACEPOINTS', `there are ${registry.length} tracepoints already`, { name });
  demandMeaning(name, declared);
  const lane = declared.lane ?? laneOf(name, declared);
  const info = { ...declared, kind: registry.length, name, lane };
  registry.push(info);
  byName.set(name, info);
  return info.kind;
}

/** A declaration comes from a driver that may be no TypeScript: what is missing has to be said now. */
function demandMeaning(name: string, declared: Partial<TracepointDeclaration> | undefined): void {
  if (declared?.means === undefined || declared.says === undefined || declared.says === '')
    throw new HmmError('NO_MEANING', `the tracepoint ${name} does not declare what its events mean`, {
      name,
    });
}

function laneOf(name: string, { means }: TracepointDeclaration): string {
  const lane = EVENT_LANES[typeof means === 'number' ? means : means(0)] ?? '';
  return lane === '' ? name.replace(/:.*/, '') : lane;
}

/** The tracepoint with id `kind`. */
export function tracepoint(kind: number): TracepointInfo {
  const info = registry[kind];
  if (info === undefined) throw new HmmError('NO_TRACEPOINT', `no tracepoint has id ${kind}`, { kind });
  return info;
}

/** The id of the tracepoint called `name`, or -1. */
export function tracepointKind(name: string): number {
  return byName.get(name)?.kind ?? -1;
}

/** What an event of tracepoint `kind` with `value` means. */
export function meaningOf(kind: number, value: number): EventMeaning {
  const { means } = tracepoint(kind);
  return typeof means === 'number' ? means : means(value);
}
