import type { DeviceProcess } from '@hmm/device';
import type { Task } from '@hmm/kernel';
import { dupMm, mmput, type MmStruct } from '@hmm/mm';
import { userfaultfdRelease } from '@hmm/mm/internal';
import { type Pin, unpinAll } from './pins.js';

/** A process as operations see it: an address space, the devices that it has opened, and the pins that it holds. */
export interface OperationProcess {
  readonly name: string;
  readonly mm: MmStruct;
  /** Long-term pins that it holds. */
  readonly pins: Pin[];
  /** Whether it is still there. */
  alive: boolean;
  /** The devices that it has opened, in that order; a closed one may be among them. */
  openedDevices(): readonly DeviceProcess[];
}

/** `fork`: a copy of the parent's address space, or a negative errno. Drivers take from it what a child must not share. */
export function* forkProcess(parent: OperationProcess): Task<MmStruct | number> {
  const mm = yield* dupMm(parent.mm);
  if (typeof mm === 'number') return mm;
  for (const { managed } of parent.openedDevices()) if (managed !== undefined) yield* managed.fork();
  return mm;
}

/**
 * A process ends, in the order of `do_exit`: its memory is torn down, its devices are closed, its pins are dropped. A second
 * time nothing happens.
 * Unlike others' uses of its memory, the end of its own does not come after one of its own: it commutes with none.
 */
export function* exitProcess(process: OperationProcess): Task {
  const { mm } = process;
  mm.kernel.sched.access(mm.usersObject, true);
  if (!process.alive) return;
  process.alive = false;
  yield* mmput(mm);
  for (const device of process.openedDevices()) yield* device.close();
  for (const ctx of [...mm.userfaultfds]) yield* userfaultfdRelease(ctx);
  unpinAll(process);
}
