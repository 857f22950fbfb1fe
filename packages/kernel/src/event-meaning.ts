/**
 * What an event means to somebody who knows nothing of the driver that it comes from: diagnoses, timelines, explanations
 * and the lanes of a picture go by these, never by an event's name.
 *
 * @packageDocumentation
 */

/** An event that nothing but its own text explains. */
export const EVENT_OTHER = 0;
/** The driver has read a fault record of the device. */
export const EVENT_DEVICE_FAULT = 1;
/** The driver serves a fault of the CPU. */
export const EVENT_CPU_FAULT = 2;
/** Pages went to device memory. */
export const EVENT_TO_DEVICE = 3;
/** Pages came to host memory. */
export const EVENT_TO_HOST = 4;
/** Pages were found to go back and forth. */
export const EVENT_THRASHING = 5;
/** An access has to wait since its page goes back and forth. */
export const EVENT_THROTTLED = 6;
/** Pages were mapped on one side while their data stayed on the other. */
export const EVENT_MAPPED_REMOTE = 7;
/** The accesses that wait are done again. */
export const EVENT_REPLAY = 8;
/** A service began again, since the address space had changed meanwhile. */
export const EVENT_RETRY = 9;
/** A notifier has told the driver that pages change. */
export const EVENT_INVALIDATED = 10;
/** The driver began to serve a batch of faults. */
export const EVENT_BATCH = 11;
/** A fault was given up: its access, or all of its process, ends. */
export const EVENT_CANCELLED = 12;
/** Entries of the device's page table changed in another way. */
export const EVENT_MAPPED = 13;
/** An invalidation is announced; it lasts to the {@link EVENT_INVALIDATE_END} with the same value. */
export const EVENT_INVALIDATE_START = 14;
/** An invalidation is over. */
export const EVENT_INVALIDATE_END = 15;

/** One of `EVENT_*`. */
export type EventMeaning = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

/** Number of meanings. */
export const EVENT_MEANINGS = 16;

/** The lane in which an event of a meaning is drawn where its declaration names no other; '' for {@link EVENT_OTHER}. */
export const EVENT_LANES: readonly string[] = [
  '',
  'GPU faults',
  'CPU faults',
  'copy engines',
  'copy engines',
  'thrashing',
  'thrashing',
  'device page table',
  'replay, cancel',
  'retries',
  'notifier (raised: odd)',
  'fault worker',
  'replay, cancel',
  'device page table',
  'notifier (raised: odd)',
  'notifier (raised: odd)',
];
