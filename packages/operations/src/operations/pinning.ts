import { EINVAL, SP_PREEMPT } from '@hmm/kernel';
import { operation } from '../definition.js';
import { DONE, type Outcome, returned } from '../outcome.js';
import { pages } from '../parts/ranges.js';
import { flag } from '../parts/words.js';
import { pinPages, unpinAll, unpinPages } from '../pins.js';
import { line } from '../recorded/line.js';
import { SHOWS_ERRNO } from '../recorded/shown.js';
import { isManaged, managedOf, notOfManaged } from './mapping.js';

const write = flag('write', 'write');

/** `pin a`, `pin a write`: takes long-term pins on all pages of a range or on none. */
export const pin = operation({
  kind: 'pin',
  summary: 'Takes long-term pins on all pages of a range, or on none.',
  parts: [pages, write],
  results: true,
  side: 'cpu',
  *run(context, { range, write: writes }) {
    const { process } = context;
    if (isManaged(range)) {
      const managed = managedOf(context, range);
      if (managed?.pin === undefined) return notOfManaged(range, 'pin');
      return returned(yield* managed.pin(range.vpn, range.pages, writes));
    }
    return returned(yield* pinPages(process, range.vpn, range.pages, writes));
  },
  returns: 'errno',
  recorded: [line('pin', [pages, write], {}, SHOWS_ERRNO, 'scripts')],
});

/** `unpin a`: drops the pins that were taken on these pages, and no others. */
export const unpin = operation({
  kind: 'unpin',
  summary: 'Drops the pins that were taken on these pages.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run(context, { range }) {
    const { process } = context;
    if (isManaged(range)) {
      const managed = managedOf(context, range);
      if (managed?.unpin === undefined) return notOfManaged(range, 'unpin');
      return returned(yield* managed.unpin(range.vpn, range.pages));
    }
    return returned(unpinPages(process, range.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [],
});

/** `pinned a -> x`: what the holders of pins read at byte 0 of each page, which for managed memory may be an old copy. */
export const pinned = operation({
  kind: 'pinned',
  summary: 'Reads byte 0 of pages through the pins on them, as whoever holds these does.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run(context, { range }) {
    const { mm, pins } = context.process;
    if (isManaged(range)) {
      const managed = managedOf(context, range);
      if (managed?.pinned === undefined) return notOfManaged(range, 'pinned');
      return seen(yield* managed.pinned(range.vpn, range.pages));
    }
    const held = (vpn: number): number => pins.find((one) => one.vpn === vpn)?.pfn ?? -1;
    const frames = Array.from({ length: range.pages }, (_, i) => held(range.vpn + i));
    return seen(frames.map((pfn) => (pfn < 0 ? -1 : mm.system.data.readByte(pfn, 0))));
  },
  returns: 'values',
  recorded: [],
});

function seen(values: readonly number[]): Outcome {
  return { rc: values.includes(-1) ? -EINVAL : 0, values, cpages: 0, faults: 0 };
}

/** The pins are taken and dropped again at once. Only recordings have it. */
export const pinOnce = operation({
  kind: 'pin_once',
  summary: 'Takes long-term pins and drops them at once.',
  parts: [pages, write],
  results: true,
  side: 'cpu',
  *run({ process }, { range, write: writes }) {
    const holder = { mm: process.mm, pins: [] };
    const rc = yield* pinPages(holder, range.vpn, range.pages, writes);
    if (process.mm.kernel.sched.exploring) yield SP_PREEMPT;
    unpinAll(holder);
    return returned(rc);
  },
  returns: 'errno',
  recorded: [line('pin', [pages, write], {}, SHOWS_ERRNO, 'races')],
});

/** All pins of the process are dropped. Only recordings have it. */
export const unpinEverything = operation({
  kind: 'unpin_all',
  summary: 'Drops all pins of the process.',
  parts: [],
  results: true,
  side: 'cpu',
  *run({ process }) {
    unpinAll(process);
    return DONE;
  },
  returns: 'errno',
  recorded: [line('unpin', [], {}, SHOWS_ERRNO, 'scripts')],
});

/** The operations of this file. */
export const PINNING_OPERATIONS = [pin, unpin, pinned] as const;
/** Those that only recordings have. */
export const RECORDED_PINNING = [pinOnce, unpinEverything] as const;
