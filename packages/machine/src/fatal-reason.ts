import type { Machine } from './machine.js';

/** Why a device can run nothing more in a process that had it open; null while all can. */
export function fatalReason(machine: Machine): string | null {
  for (const process of machine.processes.values()) {
    for (const device of process.devices.values()) {
      const fatal = device.fatal();
      if (fatal !== undefined) return fatal;
    }
  }
  return null;
}
