import {
  EVENT_DEVICE_FAULT,
  EVENT_INVALIDATED,
  EVENT_LANES,
  EVENT_RETRY,
  EVENT_TO_DEVICE,
} from '@hmm/kernel/internal';
import type { LaneShape } from '../draw/lanes-canvas.js';
import type { LaneRole } from '../draw/palette.js';
import { infoOf } from './event-info.js';

/** The lane of invalidations: up while an interval notifier's sequence is odd. */
export const NOTIFIER_LANE = EVENT_LANES[EVENT_INVALIDATED] ?? '';
const RETRY_LANE = EVENT_LANES[EVENT_RETRY] ?? '';
/** The lane of kernels, and those of each GPU where there are several: what comes behind `GPU 1`. */
const GPU_LANE = 'GPU';
const LANES_OF_GPU: ReadonlyMap<string, string> = new Map([
  [GPU_LANE, ''],
  [EVENT_LANES[EVENT_DEVICE_FAULT] ?? '', ' faults'],
  [EVENT_LANES[EVENT_TO_DEVICE] ?? '', ' copies'],
]);
/** A lane that is one GPU's. */
const ONE_GPU = /^GPU (\d+)( faults| copies)?/;

/** From top to bottom as a reader follows a fault; anything else comes after. */
const ORDER: readonly string[] = [
  GPU_LANE,
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
  [/copy|copies$/, 'move'],
  [/^CPU /, 'cpu'],
  [/^GPU/, 'gpu'],
  [/evict|htod|dtoh|dtod/, 'move'],
  [/^notifier/, 'order'],
];

/** How a lane looks: its colour by its role, and the pattern of the GPU whose it is. */
export interface LaneLooks {
  readonly role: LaneRole;
  readonly shape: LaneShape;
  /** Number of the GPU; -1 where it is no GPU's own. */
  readonly gpu: number;
}

/** How a lane looks. */
export function looksOf(lane: string): LaneLooks {
  const role = ROLES.find(([pattern]) => pattern.test(lane))?.[1] ?? 'other';
  const shape = lane === RETRY_LANE ? 'arrows' : lane === NOTIFIER_LANE ? 'level' : 'bars';
  return { role, shape, gpu: Number(ONE_GPU.exec(lane)?.[1] ?? -1) };
}

/** The lane of what GPU `gpu` does, where a machine has several and tells them apart in this lane. */
export function laneOfGpu(lane: string, gpu: number): string {
  const which = gpu < 0 ? undefined : LANES_OF_GPU.get(lane);
  return which === undefined ? lane : `${GPU_LANE} ${gpu}${which}`;
}

/** The lane that all GPUs have together in a machine of one. */
export function laneOfAll(lane: string): string {
  const found = ONE_GPU.exec(lane);
  if (found === null) return lane;
  const [, , which = ''] = found;
  for (const [all, one] of LANES_OF_GPU) if (one === which) return all;
  return lane;
}

/** The lane of an event of `kind`, as it is declared; a statement's and a lock's are told by the caller. */
export function laneOfKind(kind: string): string {
  return infoOf(kind)?.lane ?? kind.replace(/:.*/, '');
}

/** The lane of a statement. */
export function laneOfStatement(side: 'cpu' | 'gpu', agent: string): string {
  return side === 'gpu' ? GPU_LANE : `CPU ${agent}`;
}

/** Lanes in the order in which they are drawn: CPU threads, then {@link ORDER}, then the rest by name. */
export function sortLanes(names: Iterable<string>): string[] {
  const rank = (name: string): number => {
    if (name.startsWith('CPU ') && name !== 'CPU faults') return -1;
    const at = ORDER.indexOf(laneOfAll(name));
    return at < 0 ? ORDER.length : at;
  };
  return [...new Set(names)].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true }));
}
