import type { DeviceOperationResult, DeviceProcess, StreamResult } from '@hmm/device';
import { EIO, type Task } from '@hmm/kernel';

const CLOSED = 'the device was closed';

/** A device that a process has closed: nothing can be done with it any more. */
export const CLOSED_DEVICE: DeviceProcess = {
  managed: undefined,
  *launch(): Task<StreamResult> {
    return { errno: -EIO, done: 0, reason: CLOSED };
  },
  *prefetch(): Task<number> {
    return -EIO;
  },
  *advise(): Task<number> {
    return -EIO;
  },
  *operation(): Task<DeviceOperationResult> {
    return { rc: -EIO, cpages: 0, faults: 0, values: [] };
  },
  residency(_vpn, pages, out) {
    out.fill(0, 0, pages);
  },
  fatal: () => CLOSED,
  *close(): Task {
    // It is closed.
  },
};
