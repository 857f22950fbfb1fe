/** How many colours the terminal has: none at all, 16, 256, or 24 bits a colour. */
export type ColorDepth = 'none' | '16' | '256' | '24bit';

/** A map to draw: rows of pages over columns of time. */
export interface ResidencyGrid {
  /** Rows by region, from top to bottom. */
  readonly regions: readonly { readonly name: string; readonly rows: number }[];
  readonly columns: number;
  /** Share of the pages of a cell in device memory, and in host memory, 0 to 1; `row` counts over all regions. */
  readonly device: (row: number, column: number) => number;
  readonly host: (row: number, column: number) => number;
}

type Rgb = readonly [number, number, number];
/** Orange, blue, and the background: told apart by people who see colours differently. */
const DEVICE: Rgb = [230, 138, 0];
const HOST: Rgb = [38, 120, 200];
const NOWHERE: Rgb = [28, 28, 28];

/**
 * Where pages are over time, for a terminal: two rows of the grid in one line by half blocks where there are colours; else one
 * letter a cell, D in device memory, d mostly so, h and H the host, B both, . nowhere.
 */
export function formatResidencyMap(grid: ResidencyGrid, depth: ColorDepth): string {
  return depth === 'none' ? letters(grid) : blocks(grid, depth);
}

function letters(grid: ResidencyGrid): string {
  const lines: string[] = [];
  let row = 0;
  for (const { name, rows } of grid.regions) {
    lines.push(name);
    for (let end = row + rows; row < end; row++) {
      let line = '';
      for (let column = 0; column < grid.columns; column++)
        line += letter(grid.device(row, column), grid.host(row, column));
      lines.push(`|${line}|`);
    }
  }
  lines.push('D d device, H h host (capitals: all of it), B both, . nowhere; time goes right');
  return lines.join('\n');
}

function letter(device: number, host: number): string {
  if (device + host < 0.05) return '.';
  if (device > 0.5 && host > 0.5) return 'B';
  if (device >= host) return device > 0.95 ? 'D' : 'd';
  return host > 0.95 ? 'H' : 'h';
}

function blocks(grid: ResidencyGrid, depth: Exclude<ColorDepth, 'none'>): string {
  const lines: string[] = [];
  let row = 0;
  for (const { name, rows } of grid.regions) {
    lines.push(name);
    const end = row + rows;
    for (; row < end; row += 2) {
      let line = '';
      for (let column = 0; column < grid.columns; column++) {
        const lower = row + 1 < end ? cell(grid, row + 1, column) : NOWHERE;
        line += `${paint(cell(grid, row, column), depth, false)}${paint(lower, depth, true)}▀`;
      }
      lines.push(`${line}\u001b[0m`);
    }
    row = end;
  }
  const legend = (color: Rgb, text: string): string => `${paint(color, depth, false)}█\u001b[0m ${text}`;
  lines.push(`${legend(DEVICE, 'device')}  ${legend(HOST, 'host')}; time goes right`);
  return lines.join('\n');
}

function cell(grid: ResidencyGrid, row: number, column: number): Rgb {
  const device = grid.device(row, column);
  const host = grid.host(row, column);
  const none = Math.max(0, 1 - device - host);
  const sum = device + host + none;
  const mixed = (at: 0 | 1 | 2): number =>
    Math.round((device * DEVICE[at] + host * HOST[at] + none * NOWHERE[at]) / sum);
  return [mixed(0), mixed(1), mixed(2)];
}

/** The escape sequence that sets the foreground or the background to a colour, as near as the terminal can. */
function paint([red, green, blue]: Rgb, depth: Exclude<ColorDepth, 'none'>, background: boolean): string {
  if (depth === '24bit') return `\u001b[${background ? 48 : 38};2;${red};${green};${blue}m`;
  if (depth === '256') {
    const step = (value: number): number => Math.round((value / 255) * 5);
    const color = 16 + 36 * step(red) + 6 * step(green) + step(blue);
    return `\u001b[${background ? 48 : 38};5;${color}m`;
  }
  const orange = red - blue;
  const code = Math.max(red, blue) < 60 ? 0 : orange > 60 ? 3 : orange < -60 ? 4 : 7;
  return `\u001b[${(background ? 40 : 30) + code}m`;
}
