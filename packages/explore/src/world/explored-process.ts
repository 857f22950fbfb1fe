import type { DeviceProcess, ManagedMemory } from '@hmm/device';
import { type Sched, type Task } from '@hmm/kernel';
import { observedTask } from '@hmm/kernel/internal';

/** Makes a call of a driver one that is explored. */
export type Exploring = <T>(task: Task<T>) => Task<T>;

/** Calls of a driver whose every step counts as one that uses all state of the driver, known to the observer as `object`. */
export function exploring(sched: Sched, object: number): Exploring {
  return (task) => observedTask(sched, object, task);
}

/** A process on a device whose calls are explored. */
export function exploredProcess(inner: DeviceProcess, explored: Exploring): DeviceProcess {
  return {
    managed: inner.managed === undefined ? undefined : exploredMemory(inner.managed, explored),
    launch: (stream) => explored(inner.launch(stream)),
    prefetch: (vpn, pages, to) => explored(inner.prefetch(vpn, pages, to)),
    advise: (vpn, pages, advice, place) => explored(inner.advise(vpn, pages, advice, place)),
    operation: (call) => explored(inner.operation(call)),
    residency: (vpn, pages, out) => {
      inner.residency(vpn, pages, out);
    },
    fatal: () => inner.fatal(),
    close: () => explored(inner.close()),
  };
}

function exploredMemory(inner: ManagedMemory, explored: Exploring): ManagedMemory {
  const memory: ManagedMemory = {
    alloc: (vpn, bytes) => explored(inner.alloc(vpn, bytes)),
    free: (vpn) => explored(inner.free(vpn)),
    cpuAccess: (stream) => explored(inner.cpuAccess(stream)),
    fork: () => explored(inner.fork()),
  };
  const observed = <A extends unknown[], T>(call: (...args: A) => Task<T>): ((...args: A) => Task<T>) => {
    return (...args) => explored(call(...args));
  };
  const allocDevice = inner.allocDevice?.bind(inner);
  const copy = inner.copy?.bind(inner);
  const fill = inner.fill?.bind(inner);
  const pin = inner.pin?.bind(inner);
  const unpin = inner.unpin?.bind(inner);
  const pinned = inner.pinned?.bind(inner);
  const syscall = inner.syscall?.bind(inner);
  return {
    ...memory,
    ...(allocDevice === undefined ? {} : { allocDevice: observed(allocDevice) }),
    ...(copy === undefined ? {} : { copy: observed(copy) }),
    ...(fill === undefined ? {} : { fill: observed(fill) }),
    ...(pin === undefined ? {} : { pin: observed(pin) }),
    ...(unpin === undefined ? {} : { unpin: observed(unpin) }),
    ...(pinned === undefined ? {} : { pinned: observed(pinned) }),
    ...(syscall === undefined ? {} : { syscall: observed(syscall) }),
  };
}
