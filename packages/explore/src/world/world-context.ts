import type { DeviceProcess } from '@hmm/device';
import { EOPNOTSUPP, errnoName, type Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { DeviceAnswer, OperationClient, OperationContext } from '@hmm/operations';
import type { WorldProcess } from './world-process.js';
import { place, type World } from './world.js';

/** Where operations of a process of a world run: others may come in between two accesses, and time is nothing. */
export class WorldContext implements OperationContext {
  readonly process: WorldProcess;
  readonly defaultDevice = '0';
  private readonly world: World;

  constructor(world: World, process: WorldProcess) {
    this.world = world;
    this.process = process;
  }

  /** @inheritdoc */
  *device(name: string): Task<DeviceAnswer> {
    const { process, world } = this;
    const device = Number(name);
    const known = this.opened(name);
    if (known !== undefined) return { ok: true, process: known };
    const errno = yield* world.devices.open(device, process.mm);
    if (errno < 0) {
      const reason = `device ${device} cannot be opened (-${errnoName(errno)})`;
      return { ok: false, errno, reason };
    }
    world.accessOpened(true);
    process.devices.push(device);
    return { ok: true, process: process.deviceOf(device) };
  }

  /** @inheritdoc */
  opened(name: string): DeviceProcess | undefined {
    const device = Number(name);
    this.world.accessOpened(false);
    return this.process.devices.includes(device) ? this.process.deviceOf(device) : undefined;
  }

  /** @inheritdoc */
  client(device: string): OperationClient {
    return this.world.devices.client ?? { name: `device ${device}`, gpu: 'none', limitMemory: notSupported };
  }

  /** @inheritdoc */
  readonly between = (values: readonly number[]): Task => {
    if (values.length > 0) this.world.done++;
    return place(this.world, values);
  };

  /** @inheritdoc */
  *cpuTime(): Task {
    // An exploration has no time.
  }

  /** @inheritdoc */
  sleep(): Task {
    return place(this.world);
  }

  /** @inheritdoc */
  adopt(name: string, mm: MmStruct): void {
    const { process, world } = this;
    world.accessProcesses(true);
    const inherited = world.devices.inherit?.(process.mm, mm) ?? [];
    world.adopt(name, mm).devices.push(...inherited);
  }

  /** @inheritdoc */
  processOf(name: string): WorldProcess | undefined {
    this.world.accessProcesses(false);
    return this.world.processes.get(name);
  }
}

function* notSupported(): Task<number> {
  return -EOPNOTSUPP;
}
