import type { DeviceProcess } from '@hmm/device';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import type { OperationProcess } from '@hmm/operations';
import type { Pin } from '@hmm/operations/internal';
import { CLOSED_DEVICE } from './closed-device.js';
import type { World } from './world.js';

/** A process of a world. */
export class WorldProcess implements OperationProcess {
  /** What of it is state. */
  static readonly state = declareState({
    name: 'constant',
    mm: 'constant',
    alive: 'value',
    devices: 'constant',
    world: 'constant',
  });

  readonly name: string;
  readonly mm: MmStruct;
  /** @inheritdoc */
  alive = true;
  /** Numbers of the devices that it has opened, in that order; also of those that it has closed since. */
  readonly devices: number[] = [];
  private readonly world: World;

  constructor(world: World, name: string, mm: MmStruct) {
    this.world = world;
    this.name = name;
    this.mm = mm;
  }

  /** @inheritdoc */
  get pins(): Pin[] {
    return this.world.pinsOf(this.mm);
  }

  /** @inheritdoc */
  openedDevices(): readonly DeviceProcess[] {
    return this.devices.map((device) => this.deviceOf(device));
  }

  /** A device that it has opened. */
  deviceOf(device: number): DeviceProcess {
    return this.world.devices.process(device, this.mm) ?? CLOSED_DEVICE;
  }
}
