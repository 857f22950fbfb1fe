/**
 * Colours of places, the same in maps, lanes and legends, told apart by people with any colour vision (Okabe-Ito), and
 * never the only sign: the map also hatches device pages and dots duplicated ones, legends carry letters.
 *
 * @packageDocumentation
 */

/** RGB, 0 … 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Colours of one theme for the places of `residency-raster.ts`, by state. */
export interface Palette {
  readonly states: readonly [Rgb, Rgb, Rgb, Rgb];
  /** Behind everything. */
  readonly paper: string;
  readonly ink: string;
  readonly grid: string;
  readonly mark: string;
  readonly lane: string;
  /** Where two panes differ. */
  readonly differ: string;
}

/** For a white page. */
export const LIGHT: Palette = {
  states: [
    [244, 244, 244],
    [230, 159, 0],
    [0, 114, 178],
    [148, 103, 189],
  ],
  paper: '#ffffff',
  ink: '#1a1a1a',
  grid: '#d8d8d8',
  mark: '#b00020',
  lane: '#4a6fa5',
  differ: '#8a5a00',
};

/** For a dark page. */
export const DARK: Palette = {
  states: [
    [38, 40, 44],
    [240, 173, 48],
    [86, 180, 233],
    [190, 150, 225],
  ],
  paper: '#1d1f23',
  ink: '#ececec',
  grid: '#43464c',
  mark: '#ff7b89',
  lane: '#8fb3e0',
  differ: '#e3b257',
};
