import type { GpuPreset } from './capability.js';
import type { Figure } from './cost.js';

/** A number of a preset under the name of its field, with its unit. */
export interface PresetFigure extends Figure {
  /** `link.toDeviceGBs` */
  readonly name: string;
  /** `ns`, `GB/s`, `B`, `bits`; empty for a count or a factor. */
  readonly unit: string;
}

/** Every number of a preset, each with its origin, in the order of the preset's fields. */
export function presetFigures(preset: GpuPreset): PresetFigure[] {
  const { access, capability: can, link } = preset;
  const found: PresetFigure[] = [];
  const add: Add = (name, unit, figure) => {
    found.push({ ...figure, name, unit });
  };
  add('memory', 'B', preset.memory);
  add('capability.vaBits', 'bits', can.vaBits);
  add('capability.rmVaBytes', 'B', can.rmVaBytes);
  for (const [i, size] of can.pageSizes.entries()) add(`capability.pageSizes[${i}]`, 'B', size);
  for (const name of ['invalidateBatch', 'utlbFaults', 'faultBufferEntries', 'threads'] as const) {
    add(`capability.${name}`, '', can[name]);
  }
  for (const name of ['toDeviceBase', 'toDeviceGBs', 'toHostBase', 'toHostGBs'] as const) {
    add(`link.${name}`, name.endsWith('GBs') ? 'GB/s' : 'ns', link[name]);
  }
  for (const name of ACCESSES) add(`access.${name}`, name.endsWith('GBs') ? 'GB/s' : 'ns', access[name]);
  addFaultPath(preset, add);
  add('serviceScale', '', preset.serviceScale);
  return found;
}

type Add = (name: string, unit: string, figure: Figure) => void;

function addFaultPath({ faultPath }: GpuPreset, add: Add): void {
  const { begin, bulk, grid, sliceHash, warpOrders, ...single } = faultPath;
  for (const [name, value] of Object.entries(single)) {
    add(`faultPath.${name}`, name === 'faultNs' ? 'ns' : '', value);
  }
  for (const [name, value] of Object.entries<Figure>({ ...begin }))
    add(`faultPath.begin.${name}`, 'faults', value);
  for (const [name, value] of Object.entries<Figure>({ ...grid })) add(`faultPath.grid.${name}`, '', value);
  for (const [name, value] of Object.entries<Figure>({ ...bulk })) add(`faultPath.bulk.${name}`, '', value);
  for (const [i, value] of sliceHash.entries()) add(`faultPath.sliceHash[${i}]`, '', value);
  for (const [i, value] of warpOrders.entries()) add(`faultPath.warpOrders[${i}]`, '', value);
}

const ACCESSES = [
  'localRead',
  'localWrite',
  'localAtomic',
  'remoteRead',
  'remoteWrite',
  'remoteAtomic',
  'localGBs',
  'remoteGBs',
] as const;
