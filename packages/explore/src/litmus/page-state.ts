import { cpuResidency, RES_CPU, RES_DEVICE, RES_DEVICE_MAPPED, RES_DEVICE_WRITE } from '@hmm/device';
import { dataFrame, type World } from '../world/world.js';

/** Byte 0 of a page of the first process, looked at without touching it; -1 where nothing is mapped. */
export function pageValue(world: World, vpn: number): number {
  const frame = dataFrame(world, world.main, vpn);
  return frame === 0 ? -1 : world.system.data.readByte(frame, 0);
}

/** Where a page's data is: `gpu` in device memory, `cpu` elsewhere, `none` where it is nowhere. */
export function pageWhere(world: World, vpn: number): string {
  const bits = world.devices.residency?.(world.main, vpn) ?? cpuResidency(world.main, vpn);
  if ((bits & RES_DEVICE) !== 0) return 'gpu';
  return (bits & RES_CPU) !== 0 ? 'cpu' : 'none';
}

/** How the first process's first device maps a page: `none`, `r` or `rw`. */
export function pageMapped(world: World, vpn: number): string {
  const { devices, main } = world;
  const bits = devices.residency?.(main, vpn);
  if (bits !== undefined) {
    if ((bits & RES_DEVICE_MAPPED) === 0) return 'none';
    return (bits & RES_DEVICE_WRITE) !== 0 ? 'rw' : 'r';
  }
  const first = devices.mirrors.findIndex(({ mm }) => mm === main);
  const entry = first < 0 ? -1 : devices.entryAt(first, vpn);
  if (entry < 0) return 'none';
  return (entry & 1) !== 0 ? 'rw' : 'r';
}
