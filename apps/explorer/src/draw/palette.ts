/**
 * Colours of places, the same in maps, lanes and legends, told apart by people with any colour vision (Okabe-Ito), and
 * never the only sign: the map also hatches device pages and dots duplicated ones, lanes have names, legends words.
 *
 * @packageDocumentation
 */

/** RGB, 0 … 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** What a lane is about, for its colour. */
export type LaneRole = 'cpu' | 'gpu' | 'fault' | 'move' | 'order' | 'lock' | 'other';

/** Colours of one theme for the places of `residency-raster.ts`, by state. */
export interface Palette {
  readonly states: readonly [Rgb, Rgb, Rgb, Rgb];
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
