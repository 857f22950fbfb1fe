import type { Expr, Name } from '../language/tree.js';
import { errnoName, type Task } from '@hmm/kernel';
import { operation, type OperationDefinition } from '../definition.js';
import type { PageRange } from '../memory-region.js';
import type { Outcome } from '../outcome.js';
import { onDevice } from '../parts/devices.js';
import { pages } from '../parts/ranges.js';
import { assigned } from '../parts/values.js';
import { line, type RecordedLine } from '../recorded/line.js';
import { showsReply } from '../recorded/shown.js';
import { onOpenDevice } from './driver-calls.js';

const PARTS = [pages, assigned, onDevice] as const;

/** The ioctls of the kernel's HMM test device, by the words of programs and recordings. */
export type TestDeviceWord =
  'dread' | 'dwrite' | 'todev' | 'tosys' | 'snap' | 'excl' | 'chkexcl' | 'drelease' | 'dflags' | 'dreadu';

export interface CallArgs {
  readonly range: PageRange;
  readonly value: number;
  readonly device: string;
}

/** A call of the test device on a range. `recorded` is how it is recorded. */
function testDeviceCall<const W extends TestDeviceWord>(
  word: W,
  summary: string,
  recorded: RecordedLine<CallArgs>,
): OperationDefinition<W, typeof PARTS, true> {
  return operation({
    kind: word,
    summary,
    parts: PARTS,
    results: true,
    side: 'gpu',
    check({ value }: { readonly value: Expr | undefined; readonly device: Name | undefined }, { fail }) {
      if (value !== undefined && word !== 'dwrite') fail(value.span, `${word} stores nothing`);
    },
    run: (context, { range, value, device }) =>
      onOpenDevice(context, device, function* (open): Task<Outcome> {
        const reply = yield* open.operation({ name: word, vpn: range.vpn, pages: range.pages, value });
        if (reply.rc >= 0) return reply;
        return { ...reply, why: `${word} failed with -${errnoName(reply.rc)} (write 'rc e' to go on)` };
      }),
    returns: 'values',
    recorded: [recorded],
  });
}

const SHOWS = showsReply(false);
const SHOWS_COUNT = showsReply(true);

/** `dread a`: the device reads pages. */
export const dread = testDeviceCall(
  'dread',
  'The test device reads pages.',
  line('dread', [onDevice, pages], { value: 0 }, SHOWS),
);

/** `dwrite a = 5`: the device fills page `i` of the range with `5 + i`. */
export const dwrite = testDeviceCall(
  'dwrite',
  'The test device fills pages, page i with the value plus i.',
  line('dwrite', [onDevice, pages, assigned], {}, SHOWS),
);

/** `todev a`: moves pages to the device's memory. */
export const todev = testDeviceCall(
  'todev',
  "Moves pages to the test device's memory.",
  line('todev', [onDevice, pages], { value: 0 }, SHOWS_COUNT),
);

/** `tosys a`: moves pages home. */
export const tosys = testDeviceCall(
  'tosys',
  'Moves pages home from the test device.',
  line('tosys', [onDevice, pages], { value: 0 }, SHOWS_COUNT),
);

/** `snap a`: how pages are mapped, a status byte a page, without faulting any. */
export const snap = testDeviceCall(
  'snap',
  'Tells how pages are mapped, without faulting any.',
  line('snap', [onDevice, pages], { value: 0 }, SHOWS),
);

/** `excl a`: the device gets pages for itself, for atomics. */
export const excl = testDeviceCall(
  'excl',
  'The test device gets pages for itself.',
  line('excl', [onDevice, pages], { value: 0 }, SHOWS),
);

/** `chkexcl a`: whether the device has pages for itself. */
export const chkexcl = testDeviceCall(
  'chkexcl',
  'Asks whether the test device has pages for itself.',
  line('chkexcl', [onDevice, pages], { value: 0 }, SHOWS),
);

/** A range that the device does not look at; recordings may leave it out. */
const unseenPages: typeof pages = {
  ...pages,
  readRecorded: (words) =>
    words.more ? pages.readRecorded(words) : { range: { vpn: 0, pages: 1, region: undefined } },
};

/** `drelease a`: the device gives all its memory back, whatever the range is. */
export const drelease = testDeviceCall(
  'drelease',
  'The test device gives all its memory back.',
  line('drelease', [onDevice, unseenPages], { value: 0 }, SHOWS),
);

/** `dflags a`: sets the device's flags, which are the number of pages of the range. */
export const dflags = testDeviceCall(
  'dflags',
  "Sets the test device's flags.",
  line('dflags', [onDevice, pages], { value: 0 }, SHOWS),
);

/** `dreadu a`: the device reads pages that it faults in without holding the mmap lock. */
export const dreadu = testDeviceCall(
  'dreadu',
  'The test device reads pages that it faults in without the mmap lock.',
  line('dreadu', [onDevice, pages], { value: 0 }, SHOWS),
);

/** The operations of this file. */
export const TEST_DEVICE_CALLS = [
  dread,
  dwrite,
  todev,
  tosys,
  snap,
  excl,
  chkexcl,
  drelease,
  dflags,
  dreadu,
] as const;
