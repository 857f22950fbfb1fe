import { type MmStruct } from '@hmm/mm';
import { Tlb } from '@hmm/mm/internal';
import type { DeviceProcess } from '@hmm/device';
import type { OperationProcess } from '@hmm/operations';
import type { Pin } from '@hmm/operations/internal';

/** A process of the machine: an address space, and the devices that it has open. */
export class Process implements OperationProcess {
  readonly name: string;
  readonly mm: MmStruct;
  /** Page-walk cache of its accesses by the million. */
  readonly tlb: Tlb;
  /** Open devices by name. Entries stay after a close, so that a late use finds a closed device and not a new one. */
  readonly devices = new Map<string, DeviceProcess>();
  /** @inheritdoc */
  readonly pins: Pin[] = [];
  /** @inheritdoc */
  alive = true;

  constructor(name: string, mm: MmStruct) {
    this.name = name;
    this.mm = mm;
    this.tlb = new Tlb(mm);
  }

  /** @inheritdoc */
  openedDevices(): readonly DeviceProcess[] {
    return [...this.devices.values()];
  }
}
