import type { DeviceProcess } from '@hmm/device';
import { EOPNOTSUPP, type Task } from '@hmm/kernel';
import { type MmStruct } from '@hmm/mm';
import { lruAddDrain } from '@hmm/mm/internal';
import {
  type DeviceAnswer,
  type OperationClient,
  type OperationContext,
  type OperationProcess,
} from '@hmm/operations';
import { exitProcess, type Pin } from '@hmm/operations/internal';
import type { MirrorOperations } from '../mirror-operations.js';

/** A process of a script: an address space, the devices that it has open, and its long-term pins. */
export class ScriptProcess implements OperationProcess {
  readonly name: string;
  readonly mm: MmStruct;
  readonly pins: Pin[] = [];
  alive = true;
  readonly filesHeld = false;
  /** Devices that it has opened. */
  private readonly opened: string[] = [];
  private readonly devices: MirrorOperations;

  constructor(name: string, mm: MmStruct, devices: MirrorOperations) {
    this.name = name;
    this.mm = mm;
    this.devices = devices;
  }

  /** Opens a device. 0 or a negative errno. */
  *open(name: string): Task<number> {
    const rc = yield* this.devices.open(Number(name), this.mm);
    if (rc === 0) this.opened.push(name);
    return rc;
  }

  /** A device as it has it open. */
  device(name: string): DeviceProcess | undefined {
    return this.devices.process(Number(name), this.mm);
  }

  /** @inheritdoc */
  openedDevices(): readonly DeviceProcess[] {
    return this.opened.flatMap((name) => this.device(name) ?? []);
  }

  /** It ends, and what it freed is free at once where an unmapping drains the lists of the CPUs. */
  *exit(): Task {
    yield* exitProcess(this);
    if (this.mm.kernel.does.unmapDrainsLru) lruAddDrain(this.mm.system);
  }
}

/** The processes of a script: at most a parent and its child. */
export interface Script {
  readonly devices: MirrorOperations;
  parent: ScriptProcess;
  child: ScriptProcess | undefined;
}

/** Where an operation of a script runs: alone, and in no time. */
export class ScriptContext implements OperationContext {
  readonly process: ScriptProcess;
  readonly defaultDevice = '0';
  readonly between = undefined;
  private readonly script: Script;

  constructor(script: Script, process: ScriptProcess) {
    this.script = script;
    this.process = process;
  }

  /** @inheritdoc */
  *device(name: string): Task<DeviceAnswer> {
    const open = this.process.device(name);
    if (open !== undefined) return { ok: true, process: open };
    const errno = yield* this.process.open(name);
    const process = this.process.device(name);
    return process === undefined
      ? { ok: false, errno, reason: 'it cannot be opened' }
      : { ok: true, process };
  }

  /** @inheritdoc */
  opened(name: string): DeviceProcess | undefined {
    return this.process.device(name);
  }

  /** @inheritdoc */
  client(device: string): OperationClient {
    return { name: 'test-device', gpu: device, limitMemory: notSupported };
  }

  /** @inheritdoc */
  *cpuTime(): Task {
    // A replay has no time.
  }

  /** @inheritdoc */
  *sleep(): Task {
    // A replay has no time.
  }

  /** @inheritdoc */
  adopt(name: string, mm: MmStruct): void {
    this.script.child = new ScriptProcess(name, mm, this.script.devices);
  }

  /** @inheritdoc */
  processOf(): ScriptProcess | undefined {
    return this.script.child;
  }
}

function* notSupported(): Task<number> {
  return -EOPNOTSUPP;
}
