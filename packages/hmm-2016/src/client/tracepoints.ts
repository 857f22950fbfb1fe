import { defineTracepoint } from '@hmm/kernel';
import {
  EVENT_BATCH,
  EVENT_CPU_FAULT,
  EVENT_DEVICE_FAULT,
  EVENT_INVALIDATED,
  EVENT_MAPPED,
  EVENT_MAPPED_REMOTE,
  EVENT_REPLAY,
  EVENT_RETRY,
  EVENT_THRASHING,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
} from '@hmm/kernel/internal';

/** Why pages move; its place in this list is in the value of an event. */
export const MOVE_CAUSES = ['fault', 'user', 'cpu-fault', 'close'] as const;

/** One of {@link MOVE_CAUSES}. */
export type MoveCause = (typeof MOVE_CAUSES)[number];

/** The value of the event that `pages` pages moved. */
export function movedValue(pages: number, cause: MoveCause): number {
  return 4 * pages + MOVE_CAUSES.indexOf(cause);
}

const movedText = (value: number): string => `${Math.floor(value / 4)} pages`;
const movedCause = (value: number): string => MOVE_CAUSES[value % 4] ?? '';
const access = (value: number): string => (value === 1 ? 'write' : 'read');

/** Step 1 of the announcement. */
export const TP_FAULT = defineTracepoint('hmm2016:fault', {
  value: '1 for a write',
  means: EVENT_DEVICE_FAULT,
  says: "the device's page table knows nothing of the memory",
  text: access,
});
/** Step 2. */
export const TP_ASK = defineTracepoint('hmm2016:ask_hmm', {
  value: '1 for a write',
  means: EVENT_BATCH,
  says: 'the driver gets the interrupt, does not know the address, and asks HMM',
  text: access,
});
/** Step 3. */
export const TP_TO_DEVICE = defineTracepoint('hmm2016:migrate_to_device', {
  value: '4 * pages that moved + why',
  means: EVENT_TO_DEVICE,
  says: 'pages are unmapped on the CPU and move to the device',
  text: movedText,
  cause: movedCause,
});
/** Step 3, where the page stays. */
export const TP_THRASHING = defineTracepoint('hmm2016:leave_in_place', {
  value: 'times that the page has gone to the device',
  means: EVENT_THRASHING,
  says: 'the counter of the page says that it goes back and forth: it is left where it is',
  text: (value) => `${value} times`,
});
/** Step 3: entries of the device's table, for memory of the device. */
export const TP_MAP = defineTracepoint('hmm2016:map', {
  value: 'pages',
  means: EVENT_MAPPED,
  says: 'the driver enters pages of device memory',
  text: (value) => `${value} pages`,
});
/** Step 3: entries for memory that stays with the CPU. */
export const TP_MAP_REMOTE = defineTracepoint('hmm2016:map_remote', {
  value: 'pages',
  means: EVENT_MAPPED_REMOTE,
  says: 'the driver points entries at pages where they are, in host memory',
  text: (value) => `${value} pages`,
});
/** Step 4. */
export const TP_REPLAY = defineTracepoint('hmm2016:replay', {
  value: '',
  means: EVENT_REPLAY,
  says: 'the driver has the device do the access again',
});
/** What was read was invalidated before it could be entered. */
export const TP_RETRY = defineTracepoint('hmm2016:retry', {
  value: '',
  means: EVENT_RETRY,
  says: 'the CPU side moved while the driver looked: it looks again',
});
/** The driver's callback. */
export const TP_UPDATE = defineTracepoint('hmm2016:update', {
  value: '',
  means: EVENT_INVALIDATED,
  says: 'the driver has taken the pages out of the table of the device',
});
/** The CPU has touched device memory. */
export const TP_CPU_FAULT = defineTracepoint('hmm2016:cpu_fault', {
  value: '1 for a write',
  means: EVENT_CPU_FAULT,
  says: 'the CPU touches a page that it cannot reach',
  text: access,
});
/** Pages come home. */
export const TP_TO_HOST = defineTracepoint('hmm2016:migrate_to_host', {
  value: '4 * pages that moved + why',
  means: EVENT_TO_HOST,
  says: 'pages move back to host memory',
  text: movedText,
  cause: movedCause,
});
