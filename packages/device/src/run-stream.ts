import { EIO, type Sched, type Task } from '@hmm/kernel';
import { ACCESS_PREFETCH, type AccessStream, type StreamResult } from './access-stream.js';

/** A device that does one access at a time, each in the same time. */
export interface SingleAccessDevice {
  /** Duration of one access, ns. */
  readonly accessNs: number;
  /** Does access `i` of the stream's present piece, which is of `kind` (`ACCESS_*`); returns 0 or a negative errno. */
  access(stream: AccessStream, i: number, kind: number): Task<number>;
}

/**
 * Runs a stream on a device that knows no shapes: piece by piece, each access of its own kind. Warps are threads that issue
 * accesses beside each other: those follow one another, but their time passes for all threads at once. A prefetch that
 * fails is dropped. Ends at the first other failure.
 */
export function* runStream(
  device: SingleAccessDevice,
  sched: Sched,
  stream: AccessStream,
): Task<StreamResult> {
  const { access, base, pages, kinds, source } = stream;
  const threads = stream.shape === 'warps' ? Math.max(1, stream.lanes ?? 1) : 1;
  let inFlight = 0;
  let done = 0;
  for (let length = pages.length; length > 0; length = source?.fill() ?? 0) {
    for (let i = 0; i < length; i++) {
      const kind = kinds?.[i] ?? access;
      const errno = yield* device.access(stream, i, kind);
      if (errno === -EIO || (errno !== 0 && kind !== ACCESS_PREFETCH)) {
        const page = base + (pages[i] ?? 0);
        return {
          errno,
          done,
          reason: errno === -EIO ? 'the device was closed' : `the access to page ${page} failed`,
        };
      }
      done++;
      if (++inFlight < threads) continue;
      inFlight = 0;
      yield* sched.delay(device.accessNs);
    }
  }
  if (inFlight > 0) yield* sched.delay(device.accessNs);
  return { errno: 0, done, reason: '' };
}
