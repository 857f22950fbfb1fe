import { type MmStruct, Tlb } from '@hmm/mm';
import type { DeviceProcess } from '@hmm/device';

/** A process of the machine: an address space, and the devices that it has open. */
export class Process {
  readonly name: string;
  readonly mm: MmStruct;
  /** Page-walk cache of its accesses by the million. */
  readonly tlb: Tlb;
  /** Open devices by name. Entries stay after a close, so that a late use finds a closed device and not a new one. */
  readonly devices = new Map<string, DeviceProcess>();
  /** Long-term pins that it holds: the page it asked for, and the frame. */
  readonly pins: { readonly vpn: number; readonly pfn: number }[] = [];
  /** Whether it is still there. */
  alive = true;

  constructor(name: string, mm: MmStruct) {
    this.name = name;
    this.mm = mm;
    this.tlb = new Tlb(mm);
  }
}
