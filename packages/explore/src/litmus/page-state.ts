import { isDevicePrivatePte, PG_zone_device_coherent, PTE_PRESENT, PTE_WRITE } from '@hmm/mm';
import { dataFrame, type World } from '../world/world.js';

/** Byte 0 of a page of the first process, looked at without touching it; -1 where nothing is mapped. */
export function pageValue(world: World, vpn: number): number {
  const frame = dataFrame(world, world.main, vpn);
  return frame === 0 ? -1 : world.system.data.readByte(frame, 0);
}

/** The entry of a page of the first process: its flags and payload. */
function entryOf(world: World, vpn: number): { readonly flags: number; readonly pfn: number } {
  const { tables } = world.system;
  const lane = tables.findPte(world.main.root, vpn);
  if (lane < 0) return { flags: 0, pfn: 0 };
  return { flags: tables.lanes[lane] ?? 0, pfn: tables.lanes[lane + 1] ?? 0 };
}

/** Where a page's data is: `gpu` in device memory, `cpu` elsewhere, `none` where nothing is mapped. */
export function pageWhere(world: World, vpn: number): string {
  const { flags, pfn } = entryOf(world, vpn);
  if (flags === 0) return 'none';
  const device = isDevicePrivatePte(flags) || world.system.map.test(pfn, PG_zone_device_coherent);
  return device ? 'gpu' : 'cpu';
}

/** How the CPU maps a page: `none`, `r` or `rw`. */
export function pageMapped(world: World, vpn: number): string {
  const { flags } = entryOf(world, vpn);
  if ((flags & PTE_PRESENT) === 0) return 'none';
  return (flags & PTE_WRITE) !== 0 ? 'rw' : 'r';
}
