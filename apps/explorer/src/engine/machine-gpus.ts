import { cpuResidency, RES_CPU, RES_DEVICE } from '@hmm/device';
import type { Machine, Region } from '@hmm/machine';

/** The GPUs of a machine, numbered from 0 over all its devices, and who has which page. */
export class MachineGpus {
  readonly count: number;
  private readonly machine: Machine;
  /** Number of each device's first GPU. */
  private readonly first = new Map<string, number>();
  private part = new Uint32Array(0);
  private bits = new Uint8Array(0);

  constructor(machine: Machine) {
    this.machine = machine;
    let count = 0;
    for (const name of machine.deviceNames()) {
      this.first.set(name, count);
      const capability = machine.client(name).capability();
      count += capability.ok ? (capability.features.gpus ?? 1) : 1;
    }
    this.count = count;
  }

  /** The number of GPU `gpu` of a device. */
  numberOf(device: string, gpu: number): number {
    return (this.first.get(device) ?? 0) + gpu;
  }

  /** Fills `out[0, region.pages)` with who has each page: bit 0 the host, bit `1 + n` GPU `n`. */
  holders(region: Region, out: Uint32Array): void {
    const { machine } = this;
    const { pages, vpn } = region;
    out.fill(0, 0, pages);
    const process = machine.processes.get(region.process);
    if (process === undefined) return;
    if (this.part.length < pages) this.part = new Uint32Array(pages);
    const { part } = this;
    let asked = false;
    for (const [name, device] of process.devices) {
      if (device.holders === undefined || (region.managedBy ?? name) !== name) continue;
      asked = true;
      device.holders(vpn, pages, part);
      const shift = this.numberOf(name, 0);
      for (let i = 0; i < pages; i++) {
        const has = part[i] ?? 0;
        out[i] = (out[i] ?? 0) | (has & 1) | ((has >>> 1) << (1 + shift));
      }
    }
    if (!asked) this.fromResidency(region, out);
  }

  /** Where no device tells its GPUs apart: the host, and the first GPU of the region's device. */
  private fromResidency(region: Region, out: Uint32Array): void {
    const { machine } = this;
    const { pages, vpn } = region;
    if (this.bits.length < pages) this.bits = new Uint8Array(pages);
    const { bits } = this;
    bits.fill(0, 0, pages);
    const name = region.managedBy ?? machine.deviceNames()[0] ?? '';
    const process = machine.processes.get(region.process);
    const device = process?.devices.get(name);
    if (device !== undefined) device.residency(vpn, pages, bits);
    else if (process !== undefined)
      for (let i = 0; i < pages; i++) bits[i] = cpuResidency(process.mm, vpn + i);
    const onGpu = 1 << (1 + this.numberOf(name, 0));
    for (let i = 0; i < pages; i++) {
      const at = bits[i] ?? 0;
      out[i] = ((at & RES_CPU) === 0 ? 0 : 1) | ((at & RES_DEVICE) === 0 ? 0 : onGpu);
    }
  }
}
