/**
 * Colours of places, the same in maps, lanes and legends, told apart by people with any colour vision (Okabe-Ito), and
 * never the only sign: the map also hatches each GPU's pages in its own pattern and dots duplicated ones, lanes have names,
 * legends words.
 *
 * @packageDocumentation
 */

import { stateOfGpu } from '../tiles/residency-raster.js';

/** RGB, 0 … 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** What a lane is about, for its colour. */
export type LaneRole = 'cpu' | 'gpu' | 'fault' | 'move' | 'order' | 'lock' | 'other';

/** Colours of one theme for the places of `residency-raster.ts`, by state. */
export interface Palette {
  readonly states: readonly [Rgb, Rgb, Rgb, Rgb, ...Rgb[]];
  /** Behind everything. */
  readonly paper: string;
  readonly ink: string;
  readonly grid: string;
  readonly mark: string;
  /** Bars of a lane, and what is written on them. */
  readonly lanes: Readonly<Record<LaneRole, string>>;
  readonly onLanes: Readonly<Record<LaneRole, string>>;
  /** Lines of the counters. */
  readonly lines: readonly string[];
  /** Where two panes differ. */
  readonly differ: string;
}

/** For a white page. */
export const LIGHT: Palette = {
  states: [
    [240, 240, 240],
    [230, 159, 0],
    [0, 114, 178],
    [148, 103, 189],
    [0, 158, 115],
    [86, 180, 233],
    [204, 121, 167],
    [213, 94, 0],
    [200, 190, 40],
    [110, 70, 40],
    [120, 130, 150],
  ],
  paper: '#ffffff',
  ink: '#1a1a1a',
  grid: '#d8d8d8',
  mark: '#b00020',
  lanes: {
    cpu: '#e69f00',
    gpu: '#0072b2',
    fault: '#c2410c',
    move: '#7d4fa8',
    order: '#00795a',
    lock: '#70757d',
    other: '#4a6fa5',
  },
  onLanes: {
    cpu: '#1a1a1a',
    gpu: '#ffffff',
    fault: '#ffffff',
    move: '#ffffff',
    order: '#ffffff',
    lock: '#ffffff',
    other: '#ffffff',
  },
  lines: ['#c2410c', '#0072b2', '#9a6a00', '#00795a'],
  differ: '#8a5a00',
};

/** For a dark page. */
export const DARK: Palette = {
  states: [
    [46, 48, 53],
    [240, 173, 48],
    [86, 180, 233],
    [190, 150, 225],
    [70, 190, 150],
    [60, 120, 210],
    [225, 140, 185],
    [225, 110, 60],
    [225, 215, 100],
    [170, 125, 90],
    [150, 160, 180],
  ],
  paper: '#1d1f23',
  ink: '#ececec',
  grid: '#43464c',
  mark: '#ff7b89',
  lanes: {
    cpu: '#f0ad30',
    gpu: '#56b4e9',
    fault: '#ff9466',
    move: '#be96e1',
    order: '#5cc9a7',
    lock: '#9aa0a8',
    other: '#8fb3e0',
  },
  onLanes: {
    cpu: '#16171a',
    gpu: '#16171a',
    fault: '#16171a',
    move: '#16171a',
    order: '#16171a',
    lock: '#16171a',
    other: '#16171a',
  },
  lines: ['#ff9466', '#56b4e9', '#f0ad30', '#5cc9a7'],
  differ: '#e3b257',
};

/** The colour of GPU `gpu`, as CSS has it. */
export function colourOfGpu({ states }: Palette, gpu: number): string {
  const [r, g, b] = states[stateOfGpu(gpu)] ?? states[2];
  return `rgb(${r} ${g} ${b})`;
}

/** What is written on a bar of GPU `gpu`: black or white, whichever is read more easily. */
export function inkOnGpu({ states }: Palette, gpu: number): string {
  const [r, g, b] = states[stateOfGpu(gpu)] ?? states[2];
  return luminance(r, g, b) > 0.25 ? '#16171a' : '#ffffff';
}

/** Relative luminance, 0 … 1, of a colour of sRGB. */
function luminance(...rgb: Rgb): number {
  const [r = 0, g = 0, b = 0] = rgb.map((channel) => (channel / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
