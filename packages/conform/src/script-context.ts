import type { DeviceProcess } from '@hmm/device';
import type { Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { DeviceAnswer, OperationClient, OperationContext } from '@hmm/operations';
import type { ScriptDevices, ScriptProcess } from './script-process.js';

/** What of a script an operation can reach besides its process. */
export interface ScriptSurroundings {
  readonly devices: ScriptDevices;
  /** The child that a fork has made; undefined before it and after its end. */
  readonly child: ScriptProcess | undefined;
  /** A fork has made a child. */
  adopt(name: string, mm: MmStruct): void;
}

/** Where an operation of a script runs: alone, and in no time. */
export class ScriptContext implements OperationContext {
  readonly process: ScriptProcess;
  readonly defaultDevice = '0';
  readonly between = undefined;
  private readonly script: ScriptSurroundings;

  constructor(script: ScriptSurroundings, process: ScriptProcess) {
    this.script = script;
    this.process = process;
  }

  /** @inheritdoc */
  device(name: string): Task<DeviceAnswer> {
    return this.process.device(name);
  }

  /** @inheritdoc */
  opened(name: string): DeviceProcess | undefined {
    return this.process.opened(name);
  }

  /** @inheritdoc */
  client(name: string): OperationClient {
    return this.script.devices.client(name);
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
    this.script.adopt(name, mm);
  }

  /** @inheritdoc */
  processOf(): ScriptProcess | undefined {
    return this.script.child;
  }
}
