/**
 * The safety invariants of the sequence protocol that speak of what happens over time: predicates over the steps that
 * whoever watches the protocol noted, in order; the broken rule in words, or undefined.
 *
 * @packageDocumentation
 */
import type { MmuIntervalNotifier } from './interval-notifier.js';
import type { Broken } from './invariants.js';
import { mmuNotifierRangeBlockable, type MmuNotifierRange } from './range.js';
import type { MmuNotifierSubscriptions } from './subscriptions.js';

/** The start of an invalidation returned `ret`. */
export interface StartStep {
  readonly step: 'start';
  readonly range: MmuNotifierRange;
  readonly ret: number;
}

/** The end of an invalidation was called. */
export interface EndStep {
  readonly step: 'end';
  readonly range: MmuNotifierRange;
}

/** A callback is done: noted under the driver's lock if it took that. */
export interface CallbackStep {
  readonly step: 'callback';
  readonly sub: MmuIntervalNotifier;
  readonly range: MmuNotifierRange;
  /** Whether it slept. */
  readonly slept: boolean;
  /** Whether it said true. */
  readonly ok: boolean;
  /** Whether it let an own event pass by, without setting the sequence. */
  readonly filtered: boolean;
}

/** `reader` began to read the tables of the pages [start, end) with the sequence `seq`. */
export interface BeginStep {
  readonly step: 'begin';
  readonly reader: number;
  readonly sub: MmuIntervalNotifier;
  readonly start: number;
  readonly end: number;
  readonly seq: number;
}

/** `reader` asked, under the driver's lock, whether what it read is stale. */
export interface RetryStep {
  readonly step: 'retry';
  readonly reader: number;
  readonly stale: boolean;
}

/** `reader` programmed the device with what it read. */
export interface ProgramStep {
  readonly step: 'program';
  readonly reader: number;
}

/** `agent` called something that waits for invalidations to end, or came back from it. */
export interface WaitStep {
  readonly step: 'wait' | 'awake';
  readonly agent: number;
}

/** One thing that happened. */
export type ProtocolStep =
  StartStep | EndStep | CallbackStep | BeginStep | RetryStep | ProgramStep | WaitStep;

/** A rule over what happened, from the beginning until nothing was under way. */
export type ProtocolInvariant = (steps: readonly ProtocolStep[]) => Broken;

const pagesOf = (range: MmuNotifierRange): string => `the invalidation of ${range.start}-${range.end}`;

/** Invalidations that have started and not ended, or what was wrong with them. */
function running(steps: readonly ProtocolStep[]): { open: Set<MmuNotifierRange>; broken: Broken } {
  const open = new Set<MmuNotifierRange>();
  for (const s of steps) {
    if (s.step === 'start' && s.ret === 0) open.add(s.range);
    else if (s.step === 'end' && !open.delete(s.range))
      return { open, broken: `${pagesOf(s.range)} ends without having started` };
  }
  return { open, broken: undefined };
}

/** I13: every start that succeeded has exactly one end, one that was refused has none. */
export const I13: ProtocolInvariant = (steps) => {
  const { open, broken } = running(steps);
  if (broken !== undefined) return broken;
  for (const range of open) return `${pagesOf(range)} never ends`;
  return undefined;
};

const overlaps = (at: BeginStep, { sub, range }: CallbackStep): boolean =>
  at.sub === sub && range.start < at.end && at.start < range.end;

/** I14: a reader that an overlapping callback overtook is told so. Own events that are filtered are I15's. */
export const I14: ProtocolInvariant = (steps) => {
  const reading = new Map<number, { begin: BeginStep; overtaken: boolean }>();
  for (const s of steps) {
    if (s.step === 'begin') reading.set(s.reader, { begin: s, overtaken: false });
    else if (s.step === 'callback' && s.ok && !s.filtered) {
      for (const at of reading.values()) if (overlaps(at.begin, s)) at.overtaken = true;
    } else if (s.step === 'retry') {
      const at = reading.get(s.reader);
      if (at?.overtaken === true && !s.stale)
        return `reader ${s.reader} of ${at.begin.start}-${at.begin.end} was overtaken and is not told`;
    }
  }
  return undefined;
};

/** I15: an own event is only filtered while nobody is between its begin and the programming of an overlapping page. */
export const I15: ProtocolInvariant = (steps) => {
  const reading = new Map<number, BeginStep>();
  for (const s of steps) {
    if (s.step === 'begin') reading.set(s.reader, s);
    else if (s.step === 'program' || (s.step === 'retry' && s.stale)) reading.delete(s.reader);
    else if (s.step === 'callback' && s.filtered) {
      for (const at of reading.values())
        if (overlaps(at, s)) return `${pagesOf(s.range)} is filtered while reader ${at.reader} reads there`;
    }
  }
  return undefined;
};

/** I17: a callback of a range that is not blockable does not sleep, one of a blockable range does not refuse. */
export const I17: ProtocolInvariant = (steps) => {
  for (const s of steps) {
    if (s.step === 'start' && s.ret !== 0 && mmuNotifierRangeBlockable(s.range))
      return `${pagesOf(s.range)}, which is blockable, is refused`;
    if (s.step !== 'callback') continue;
    const blockable = mmuNotifierRangeBlockable(s.range);
    if (s.slept && !blockable) return `a callback slept in ${pagesOf(s.range)}, which is not blockable`;
    if (!s.ok && blockable) return `a callback refused ${pagesOf(s.range)}, which is blockable`;
  }
  return undefined;
};

/** I18: once all invalidations have ended, nobody waits for one any more. */
export const I18: ProtocolInvariant = (steps) => {
  if (running(steps).open.size > 0) return undefined;
  const waiting = new Set<number>();
  for (const s of steps) {
    if (s.step === 'wait') waiting.add(s.agent);
    else if (s.step === 'awake') waiting.delete(s.agent);
  }
  for (const agent of waiting) return `agent ${agent} waits for invalidations that are all over`;
  return undefined;
};

/** All rules over what happened, by name. */
export const mmuNotifierProtocolInvariants: Readonly<Record<string, ProtocolInvariant>> = {
  I13,
  I14,
  I15,
  I17,
  I18,
};

/** What {@link I12} compares: the sequence number, and who is in the tree. */
export interface TreeView {
  readonly seq: number;
  readonly inTree: readonly MmuIntervalNotifier[];
}

/** The tree as it is now. */
export function viewTree(subs: MmuNotifierSubscriptions): TreeView {
  const inTree = subs.intervals.filter((sub) => sub?.inTree === true);
  return { seq: subs.invalidateSeq, inTree: inTree.filter((sub) => sub !== undefined) };
}

/** I12, of two moments without a scheduling point between: the tree changes when the sequence is even, or is made odd. */
export function I12(before: TreeView, after: TreeView): Broken {
  if ((before.seq & 1) === 0 || before.seq !== after.seq) return undefined;
  const same =
    before.inTree.length === after.inTree.length && before.inTree.every((sub) => after.inTree.includes(sub));
  return same ? undefined : `the tree changes while the sequence is ${before.seq}`;
}
