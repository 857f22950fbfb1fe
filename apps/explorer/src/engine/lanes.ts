import { EVENT_INVALIDATED, EVENT_LANES, EVENT_RETRY } from '@hmm/kernel/internal';
import type { LaneShape } from '../draw/lanes-canvas.js';
import type { LaneRole } from '../draw/palette.js';
import { infoOf } from './event-info.js';

/** The lane of invalidations: up while an interval notifier's sequence is odd. */
export const NOTIFIER_LANE = EVENT_LANES[EVENT_INVALIDATED] ?? '';
const RETRY_LANE = EVENT_LANES[EVENT_RETRY] ?? '';

/** From top to bottom as a reader follows a fault; anything else comes after. */
const ORDER: readonly string[] = [
  'GPU',
  'GPU faults',
  'fault worker',
  RETRY_LANE,
  'CPU faults',
  'copy engines',
  'eviction',
  'thrashing',
  'device page table',
  NOTIFIER_LANE,
  'replay, cancel',
];

/** The colour of each kind of lane; a rule by name. */
const ROLES: readonly (readonly [RegExp, LaneRole])[] = [
  [/^lock /, 'lock'],
  [/faults$|fault worker|^retries$|replay|thrash|^faults?\b/, 'fault'],
  [/^CPU /, 'cpu'],
  [/^GPU/, 'gpu'],
  [/copy|evict|htod|dtoh/, 'move'],
  [/^notifier/, 'order'],
];

/** How a lane looks. */
export function looksOf(lane: string): { readonly role: LaneRole; readonly shape: LaneShape } {
  const role = ROLES.find(([pattern]) => pattern.test(lane))?.[1] ?? 'other';
  return { role, shape: lane === RETRY_LANE ? 'arrows' : lane === NOTIFIER_LANE ? 'level' : 'bars' };
}

/** The lane of an event of `kind`, as it is declared; a statement's and a lock's are told by the caller. */
export function laneOfKind(kind: string): string {
  return infoOf(kind)?.lane ?? kind.replace(/:.*/, '');
}

/** The lane of a statement. */
export function laneOfStatement(side: 'cpu' | 'gpu', agent: string): string {
  return side === 'gpu' ? 'GPU' : `CPU ${agent}`;
}

/** Lanes in the order in which they are drawn: CPU threads, then {@link ORDER}, then the rest by name. */
export function sortLanes(names: Iterable<string>): string[] {
  const rank = (name: string): number => {
    if (name.startsWith('CPU ') && name !== 'CPU faults') return -1;
    const at = ORDER.indexOf(name);
    return at < 0 ? ORDER.length : at;
  };
  return [...new Set(names)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
