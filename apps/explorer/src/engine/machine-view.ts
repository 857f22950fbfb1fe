import { entryText } from '@hmm/explore/internal';
import { RES_CPU, RES_CPU_MAPPED, RES_DEVICE, RES_DEVICE_MAPPED, RES_DEVICE_WRITE } from '@hmm/device';
import type { MmStruct } from '@hmm/mm';
import type { PaneMachine } from './pane-machine.js';

/** Pages of each region whose state is shown, and of all of them. */
const PAGES_PER_REGION = 8;
const MAX_PAGES = 24;

/**
 * What there is to see of a machine at one moment, in words, by name: for the first pages of each region the CPU's entry,
 * the device's entry and the folio's counts; and for each address space its notifier's sequence.
 */
export function machineView({ machine, gpus }: PaneMachine): Map<string, string> {
  const holders = new Uint32Array(gpus.count > 1 ? MAX_PAGES : 0);
  const lines = new Map<string, string>();
  let left = MAX_PAGES;
  for (const region of machine.regions.values()) {
    const process = machine.processes.get(region.process);
    if (process?.alive !== true) continue;
    const device = process.devices.get(region.managedBy ?? machine.deviceNames()[0] ?? '');
    const count = Math.min(region.pages, PAGES_PER_REGION, left);
    const bits = new Uint8Array(count);
    device?.residency(region.vpn, count, bits);
    left -= count;
    if (gpus.count > 1) gpus.holders({ ...region, pages: count }, holders);
    for (let page = 0; page < count; page++) {
      const name = `${region.name}[${page}]`;
      const place = bits[page] ?? 0;
      const managed = region.managedBy !== undefined;
      put(lines, `CPU ${name}`, managed ? managedText(place) : entryText(process.mm, region.vpn + page));
      put(lines, `GPU ${name}`, deviceText(place, memoryText(place, holders[page])));
      if (!managed) put(lines, `folio ${name}`, folioText(process.mm, region.vpn + page));
    }
  }
  for (const process of machine.processes.values()) {
    const subs = process.mm.notifierSubscriptions;
    if (subs === undefined) continue;
    const state = subs.invalidateSeq % 2 === 0 ? 'even' : 'odd';
    const running = subs.activeInvalidateRanges;
    put(lines, `notifier ${process.name}`, `sequence ${subs.invalidateSeq} (${state}), ${running} running`);
  }
  return lines;
}

function put(lines: Map<string, string>, key: string, text: string): void {
  if (text !== '' && text !== 'none') lines.set(key, text);
}

function managedText(bits: number): string {
  return (bits & RES_CPU_MAPPED) === 0 ? 'none' : 'mapped by the driver';
}

/** Where a page's data is; `holders` tells the GPUs apart where there are several. */
function memoryText(bits: number, holders: number | undefined): string {
  if (holders === undefined || holders <= 1)
    return (bits & RES_DEVICE) !== 0 ? 'device memory' : (bits & RES_CPU) !== 0 ? 'host memory' : 'elsewhere';
  const names = [];
  if ((holders & 1) !== 0) names.push('host');
  for (let gpu = 0; gpu < 31; gpu++) if (((holders >>> (1 + gpu)) & 1) !== 0) names.push(`GPU ${gpu}`);
  return `memory of ${names.join(', ')}`;
}

function deviceText(bits: number, where: string): string {
  if ((bits & RES_DEVICE_MAPPED) === 0) return 'none';
  return `${where}, ${(bits & RES_DEVICE_WRITE) === 0 ? 'r' : 'rw'}`;
}

function folioText(mm: MmStruct, vpn: number): string {
  const { tables, map } = mm.system;
  const entry = tables.findPte(mm.root, vpn);
  const pfn = entry < 0 || tables.lanes[entry] === 0 ? 0 : (tables.lanes[entry + 1] ?? 0);
  if (pfn === 0 || pfn >= map.frames || entryText(mm, vpn).startsWith('swap')) return '';
  const folio = map.folio(pfn);
  const pins = map.pincount[folio] ?? 0;
  const pinned = pins === 0 ? '' : `, pins ${pins}`;
  return `${folio}: refs ${map.refcount[folio] ?? 0}, maps ${map.mapcount[pfn] ?? 0}${pinned}`;
}
