import type { DeviceProcess } from '@hmm/device';
import type { Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import { lruAddDrain } from '@hmm/mm/internal';
import type { DeviceAnswer, OperationClient, OperationProcess } from '@hmm/operations';
import { exitProcess, type Pin } from '@hmm/operations/internal';

/** The devices that processes of a script can open, by the names that operations have for them. */
export interface ScriptDevices {
  /** The driver of a device. */
  client(name: string): OperationClient;
  /** Opens a device in a process that has not opened it. */
  open(name: string, mm: MmStruct): Task<DeviceAnswer>;
  /** A device as a process has it open; undefined where it has not. */
  opened(name: string, mm: MmStruct): DeviceProcess | undefined;
}

/** A process of a script: an address space, the devices that it has open, and its long-term pins. */
export class ScriptProcess implements OperationProcess {
  readonly name: string;
  readonly mm: MmStruct;
  readonly pins: Pin[] = [];
  alive = true;
  private readonly devices: ScriptDevices;
  /** Names of the devices that it has opened. */
  private readonly names: string[] = [];

  constructor(name: string, mm: MmStruct, devices: ScriptDevices) {
    this.name = name;
    this.mm = mm;
    this.devices = devices;
  }

  /** A device, opened now if it was not. */
  *device(name: string): Task<DeviceAnswer> {
    const open = this.opened(name);
    if (open !== undefined) return { ok: true, process: open };
    const answer = yield* this.devices.open(name, this.mm);
    if (answer.ok) this.names.push(name);
    return answer;
  }

  /** A device as it has it open; undefined where it has not. */
  opened(name: string): DeviceProcess | undefined {
    return this.devices.opened(name, this.mm);
  }

  /** @inheritdoc */
  openedDevices(): readonly DeviceProcess[] {
    return this.names.flatMap((name) => this.opened(name) ?? []);
  }

  /** It ends, and what it freed is free at once where an unmapping drains the lists of the CPUs. */
  *exit(): Task {
    yield* exitProcess(this);
    if (this.mm.kernel.does.unmapDrainsLru) lruAddDrain(this.mm.system);
  }
}
