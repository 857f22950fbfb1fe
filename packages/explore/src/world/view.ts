import { type MmStruct } from '@hmm/mm';
import {
  isDeviceExclusivePte,
  isDevicePrivatePte,
  isMigrationPte,
  isSwapPte,
  PTE_PRESENT,
  PTE_WRITE,
  ZERO_PFN,
} from '@hmm/mm/internal';
import { pageName, type World } from './world.js';

/** The page-table entries of all processes and devices, in words. */
export function worldView(world: World): Map<string, string> {
  const lines = new Map<string, string>();
  for (const mm of world.system.mms) {
    for (const vma of mm.vmas) {
      for (let vpn = vma.start; vpn < Math.min(vma.end, vma.start + 64); vpn++) {
        const text = entryText(mm, vpn);
        if (text !== 'none') lines.set(`mm${mm.id} ${pageName(vpn)}`, text);
      }
    }
  }
  for (const { device, mm, vpn, pfn, write, atomic } of world.devices.entries()) {
    const access = atomic ? 'atomic' : write ? 'rw' : 'r';
    lines.set(`dev${device} mm${mm.id} ${pageName(vpn)}`, `frame ${pfn} ${access}`);
  }
  return lines;
}

/** The page-table entry of `vpn` in words; `none` where there is none. */
export function entryText(mm: MmStruct, vpn: number): string {
  const { tables } = mm.system;
  const entry = tables.findPte(mm.root, vpn);
  const flags = entry < 0 ? 0 : (tables.lanes[entry] ?? 0);
  if (flags === 0) return 'none';
  const pfn = tables.lanes[entry + 1] ?? 0;
  const access = (flags & PTE_WRITE) !== 0 ? 'rw' : 'r';
  if ((flags & PTE_PRESENT) !== 0) return pfn === ZERO_PFN ? 'zero page' : `frame ${pfn} ${access}`;
  if (isMigrationPte(flags)) return `migrating ${pfn} ${access}`;
  if (isDevicePrivatePte(flags)) return `device frame ${pfn} ${access}`;
  if (isDeviceExclusivePte(flags)) return `exclusive ${pfn} ${access}`;
  return isSwapPte(flags) ? `swap slot ${pfn}` : 'marker';
}
