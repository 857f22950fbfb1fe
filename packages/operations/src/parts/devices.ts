import { gpuOfPlace, type Place, placeOfGpu } from '@hmm/device';
import type { Name } from '../language/tree.js';
import { part, type Part, type PartReader, type RecordedPart } from '../part.js';

export interface OnDevice {
  readonly device: string;
}

/** Recorded as the device's number. */
const recordedDevice: RecordedPart<OnDevice> = {
  readRecorded: (words) => ({ device: String(words.number()) }),
  writeRecorded: ({ device }) => device,
};

/** `on D1`, or nothing: the first device. */
export const onDevice: Part<{ readonly device: Name | undefined }, OnDevice> & RecordedPart<OnDevice> = {
  ...part<{ readonly device: Name | undefined }, OnDevice>({
    words: ['on'],
    read: (reader) => ({
      device: reader.maybe(() => {
        reader.word('on');
        return reader.name();
      }),
    }),
    format: ({ device }) => (device === undefined ? '' : `on ${device.text}`),
    check({ device }, check) {
      if (device !== undefined) check.device(device);
    },
    bind({ device }, scope, span) {
      const bound = scope.deviceNamed(device, span);
      return typeof bound === 'string' ? { device: bound } : bound;
    },
  }),
  ...recordedDevice,
};

/** The name of a device: `open D1`. */
export const deviceName: Part<{ readonly device: Name }, OnDevice> & RecordedPart<OnDevice> = {
  ...part<{ readonly device: Name }, OnDevice>({
    read: (reader) => ({ device: reader.name() }),
    format: ({ device }) => device.text,
    check({ device }, check) {
      check.device(device);
    },
    bind({ device }, scope) {
      const bound = scope.deviceNamed(device, device.span);
      return typeof bound === 'string' ? { device: bound } : bound;
    },
  }),
  ...recordedDevice,
};

/** `gpu`, `gpu1` … `gpu7`: the GPUs of the machine, in the order of its devices. */
export const GPU_WORDS = [
  'gpu',
  'gpu1',
  'gpu2',
  'gpu3',
  'gpu4',
  'gpu5',
  'gpu6',
  'gpu7',
] as const satisfies readonly Place[];

export interface OnGpu {
  /** Number of the GPU, from 0; undefined where the text names none. */
  readonly gpu: number | undefined;
}

/** `on gpu1`, or nothing. */
export const onGpu: Part<OnGpu, OnGpu> = part<OnGpu, OnGpu>({
  words: ['on'],
  read: (reader) => ({
    gpu: reader.maybe(() => {
      reader.word('on');
      return gpuOfPlace(reader.oneOf(GPU_WORDS));
    }),
  }),
  format: ({ gpu }) => (gpu === undefined ? '' : `on ${placeOfGpu(gpu)}`),
  bind: ({ gpu }) => ({ gpu }),
});

const PLACES: readonly [Place, ...Place[]] = ['cpu', ...GPU_WORDS];

/** `to gpu`. */
export const toPlace: Part<{ readonly place: Place }, { readonly place: Place }> = part({
  words: ['to'],
  read: toAPlace,
  format: ({ place }) => `to ${place}`,
  bind: ({ place }) => ({ place }),
});

function toAPlace(reader: PartReader): { readonly place: Place } {
  reader.word('to');
  return { place: reader.oneOf(PLACES) };
}

export type Maybe = { readonly place: Place | undefined };

/** `to gpu`, or nothing. */
export const toPlaceOrNot: Part<Maybe, Maybe> = part<Maybe, Maybe>({
  words: ['to'],
  read: (reader) => ({ place: reader.maybe(() => toAPlace(reader).place) }),
  format: ({ place }) => (place === undefined ? '' : `to ${place}`),
  bind: ({ place }) => ({ place }),
});

/** `gpu`, which is also what nothing means. */
export const atPlace: Part<{ readonly place: Place }, { readonly place: Place }> = part<
  { readonly place: Place },
  { readonly place: Place }
>({
  read: (reader) => ({ place: reader.maybe(() => reader.oneOf(PLACES)) ?? 'gpu' }),
  format: ({ place }) => place,
  bind: ({ place }) => ({ place }),
});
