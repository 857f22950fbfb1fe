import type { ScriptDevices } from '@hmm/conform';
import type { DeviceProcess } from '@hmm/device';
import { EOPNOTSUPP, type Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { DeviceAnswer, OperationClient } from '@hmm/operations';
import type { MirrorOperations } from '../mirror-operations.js';

/** The test devices of a recording: their names are their numbers. */
export class TestDevices implements ScriptDevices {
  private readonly devices: MirrorOperations;

  constructor(devices: MirrorOperations) {
    this.devices = devices;
  }

  /** @inheritdoc */
  client(name: string): OperationClient {
    return { name: 'test-device', gpu: name, limitMemory: notSupported };
  }

  /** @inheritdoc */
  *open(name: string, mm: MmStruct): Task<DeviceAnswer> {
    const errno = yield* this.devices.open(Number(name), mm);
    const process = this.opened(name, mm);
    return process === undefined
      ? { ok: false, errno, reason: 'it cannot be opened' }
      : { ok: true, process };
  }

  /** @inheritdoc */
  opened(name: string, mm: MmStruct): DeviceProcess | undefined {
    return this.devices.process(Number(name), mm);
  }
}

function* notSupported(): Task<number> {
  return -EOPNOTSUPP;
}
