import { SP_PREEMPT } from '@hmm/kernel';
import { operation } from '../definition.js';
import { DONE, returned } from '../outcome.js';
import { pages } from '../parts/ranges.js';
import { flag } from '../parts/words.js';
import { pinPages, unpinAll, unpinPages } from '../pins.js';
import { line } from '../recorded/line.js';
import { SHOWS_ERRNO } from '../recorded/shown.js';
import { isManaged, notOfManaged } from './mapping.js';

const write = flag('write', 'write');

/** `pin a`, `pin a write`: takes long-term pins on all pages of a range or on none. */
export const pin = operation({
  kind: 'pin',
  summary: 'Takes long-term pins on all pages of a range, or on none.',
  parts: [pages, write],
  results: true,
  side: 'cpu',
  *run({ process }, { range, write: writes }) {
    if (isManaged(range)) return notOfManaged(range, 'pin');
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
  *run({ process }, { range }) {
    if (isManaged(range)) return notOfManaged(range, 'unpin');
    return returned(unpinPages(process, range.vpn, range.pages));
  },
  returns: 'errno',
  recorded: [],
});

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
export const PINNING_OPERATIONS = [pin, unpin] as const;
/** Those that only recordings have. */
export const RECORDED_PINNING = [pinOnce, unpinEverything] as const;
