import { type AdviceKind, type DeviceProcess, gpuOfPlace, type Place, placeOfGpu } from '@hmm/device';
import { ENODEV, EOPNOTSUPP, errnoName, PAGE_SIZE, type Task } from '@hmm/kernel';
import { gpuNumbered, noGpu, type OperationContext } from '../context.js';
import { operation } from '../definition.js';
import type { PageRange } from '../memory-region.js';
import { DONE, failedBecause, impossible, type Outcome, returned } from '../outcome.js';
import { atPlace, deviceName, onDevice, toPlace, toPlaceOrNot } from '../parts/devices.js';
import { pages } from '../parts/ranges.js';
import { sum } from '../parts/values.js';
import { flag, oneOf } from '../parts/words.js';
import { line } from '../recorded/line.js';
import { SHOWS_ERRNO } from '../recorded/shown.js';

/** What `call` returns, where the process can have the device. */
export function* onOpenDevice(
  context: OperationContext,
  name: string,
  call: (device: DeviceProcess) => Task<Outcome>,
): Task<Outcome> {
  const device = yield* context.device(name);
  return device.ok ? yield* call(device.process) : impossible(device.errno, device.reason);
}

/** What `call` returns for the device and the place that a statement's place is: a GPU is counted from the statement's device on. */
function* atPlaceOf(
  context: OperationContext,
  device: string,
  place: Place,
  call: (open: DeviceProcess, place: Place) => Task<Outcome>,
): Task<Outcome> {
  const number = gpuOfPlace(place);
  const at = number <= 0 ? { device, gpu: number } : gpuNumbered(context, device, number);
  if (at === undefined) return impossible(-ENODEV, noGpu(number));
  return yield* onOpenDevice(context, at.device, (open) =>
    call(open, at.gpu < 0 ? 'cpu' : placeOfGpu(at.gpu)),
  );
}

function moved(context: OperationContext, device: string, range: PageRange, to: Place): Task<Outcome> {
  return atPlaceOf(context, device, to, function* (open, place) {
    return returned(yield* open.prefetch(range.vpn, range.pages, place));
  });
}

/** `prefetch a to gpu`: moves pages. */
export const prefetch = operation({
  kind: 'prefetch',
  summary: 'Moves pages to a device or home.',
  parts: [pages, toPlace, onDevice],
  results: true,
  side: 'gpu',
  run: (context, { range, place, device }) => moved(context, device, range, place),
  returns: 'errno',
  recorded: [],
});

/** `svm_bind a`: nouveau's name for moving pages to the device. */
export const svmBind = operation({
  kind: 'svm_bind',
  summary: "Moves pages to a device: nouveau's word for it.",
  parts: [pages, onDevice],
  results: true,
  side: 'gpu',
  run: (context, { range, device }) => moved(context, device, range, 'gpu'),
  returns: 'errno',
  recorded: [],
});

const ADVICE: readonly [AdviceKind, ...AdviceKind[]] = [
  'preferred',
  'accessed_by',
  'read_mostly',
  'unset_preferred',
  'unset_accessed_by',
  'unset_read_mostly',
];

/** `advise a preferred gpu`: advice to the driver. */
export const advise = operation({
  kind: 'advise',
  summary: 'Gives the driver advice about pages.',
  parts: [pages, oneOf('advice', ADVICE), atPlace, onDevice],
  results: true,
  side: 'cpu',
  run: (context, { range, advice, place, device }) =>
    atPlaceOf(context, device, place, function* (open, at) {
      return returned(yield* open.advise(range.vpn, range.pages, advice, at));
    }),
  returns: 'errno',
  recorded: [],
});

/**
 * `discard a`, `discard a to gpu`, `discard a unmap to gpu`: what the pages hold is needed no more. On their own they lose their
 * mappings and their place, as recordings of `cudaMemDiscardBatchAsync` show.
 */
export const discard = operation({
  kind: 'discard',
  summary: 'Gives up what pages hold, and where the text says so moves them, without a copy.',
  parts: [pages, flag('unmap', 'unmap'), toPlaceOrNot, onDevice],
  results: true,
  side: 'gpu',
  run: (context, { range, unmap, place, device }) =>
    onOpenDevice(context, device, function* (open) {
      const { vpn, pages: count } = range;
      const name = unmap || place === undefined ? 'discard_unmap' : 'discard';
      const { rc } = yield* open.operation({ name, vpn, pages: count, value: 0 });
      if (rc === -EOPNOTSUPP) {
        const { name: driver, gpu } = context.client(device);
        return failedBecause(
          rc,
          `${driver} on ${gpu} has no call to discard (-EOPNOTSUPP; write 'rc e' to go on)`,
        );
      }
      if (rc < 0 || place === undefined) return returned(rc);
      return returned(yield* open.prefetch(vpn, count, place));
    }),
  returns: 'errno',
  recorded: [],
});

/** `pressure 4MiB`: leaves only so much device memory, as another tenant of the device would. */
export const pressure = operation({
  kind: 'pressure',
  summary: 'Leaves only so much device memory.',
  parts: [sum('size', 'bytes'), onDevice],
  results: false,
  side: 'cpu',
  *run(context, { size, device }) {
    const rc = yield* context.client(device).limitMemory(Math.floor(size / PAGE_SIZE));
    return rc === 0 ? DONE : failedBecause(rc, `this driver does not give memory back: -${errnoName(rc)}`);
  },
  returns: 'errno',
  recorded: [],
});

/** `open D1`: the process opens a device. One that it has closed stays closed. */
export const open = operation({
  kind: 'open',
  summary: 'Opens a device in the process.',
  parts: [deviceName],
  results: false,
  side: 'cpu',
  run: (context, { device }) =>
    onOpenDevice(context, device, function* () {
      return DONE;
    }),
  returns: 'errno',
  recorded: [line('dopen', [deviceName], {}, SHOWS_ERRNO)],
});

/** `close D1`: the process closes a device; where it has not opened it, nothing happens. */
export const close = operation({
  kind: 'close',
  summary: 'Closes a device in the process.',
  parts: [deviceName],
  results: false,
  side: 'cpu',
  *run(context, { device }) {
    const opened = context.opened(device);
    if (opened !== undefined) yield* opened.close();
    return DONE;
  },
  returns: 'errno',
  recorded: [line('dclose', [deviceName], {}, SHOWS_ERRNO)],
});

/** The operations of this file. */
export const DRIVER_CALLS = [prefetch, svmBind, advise, discard, pressure, open, close] as const;
