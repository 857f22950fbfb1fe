import { escaped } from '@hmm/report';
import type { SweepAxis } from './grid.js';
import type { SweepResult } from './results.js';

const CELL = 56;
/** Width of a letter, about; letters of a label that fits over a column. */
const LETTER = 6.5;
const FITTING = 8;
/** Degrees by which long labels of columns rise, and the sine of that. */
const SLANT = 40;
const SLANT_SIN = 0.65;

/**
 * A heat grid as SVG: one figure over two axes (the mean over the others), dark where it is large, with the value in each cell; F
 * where every run failed, * where some did. Files are called by their names alone, where those differ.
 */
export function heatGrid(
  x: SweepAxis,
  y: SweepAxis,
  figure: string,
  results: readonly SweepResult[],
): string {
  const cells = y.values.map((row) =>
    x.values.map((column) => meanOf(results, figure, { [x.name]: column, [y.name]: row })),
  );
  const known = cells.flat().filter((value) => value !== undefined);
  const low = known.reduce((least, value) => Math.min(least, value), Infinity);
  const high = known.reduce((most, value) => Math.max(most, value), -Infinity);
  const share = (value: number): number =>
    low > 0 && high / low > 20
      ? Math.log(value / low) / Math.log(high / low)
      : high > low
        ? (value - low) / (high - low)
        : 0;
  const across = shortNames(x.values);
  const down = shortNames(y.values);
  const slant = longest(across) > FITTING;
  const left = Math.max(140, 20 + Math.ceil(longest(down) * LETTER));
  const top = slant ? 44 + Math.ceil(longest(across) * LETTER * SLANT_SIN) : 60;
  const drawn = cells.flatMap((row, j) =>
    row.map((value, i) => {
      const some = value !== undefined && failedAt(results, { [x.name]: x.values[i], [y.name]: y.values[j] });
      return cell(left + i * CELL, top + j * CELL, value, value === undefined ? 0 : share(value), some);
    }),
  );
  const columns = across.map((v, i) =>
    slant
      ? slanted(left + (i + 0.4) * CELL, top - 8, v)
      : label(left + (i + 0.5) * CELL, top - 8, v, 'middle'),
  );
  const rows = down.map((v, j) => label(left - 8, top + (j + 0.6) * CELL, v, 'end'));
  const width = left + x.values.length * CELL + (slant ? Math.ceil(longest(across) * LETTER) : 20);
  const height = top + y.values.length * CELL + 20;
  const title = label(8, 20, `${figure}: ${x.name} across, ${y.name} down`, 'start');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui,sans-serif" font-size="12">${title}${columns.join('')}${rows.join('')}${drawn.join('')}</svg>\n`;
}

/** Values as labels: of paths the last part, unless two of them have the same. */
function shortNames(values: readonly string[]): string[] {
  const names = values.map((value) => value.slice(value.lastIndexOf('/') + 1));
  const alike = new Set(names.filter((name, i) => names.indexOf(name) !== i));
  return names.map((name, i) => (alike.has(name) ? (values[i] ?? name) : name));
}

function longest(labels: readonly string[]): number {
  return labels.reduce((most, { length }) => Math.max(most, length), 0);
}

type Place = Readonly<Record<string, string | undefined>>;

function at(place: Place): (result: SweepResult) => boolean {
  return ({ values }) => Object.entries(place).every(([name, value]) => values[name] === value);
}

function failedAt(results: readonly SweepResult[], place: Place): boolean {
  const here = at(place);
  return results.some((result) => result.error !== null && here(result));
}

function meanOf(results: readonly SweepResult[], figure: string, place: Place): number | undefined {
  const here = at(place);
  const values = results
    .filter((result) => result.error === null && here(result))
    .flatMap(({ figures }) => figures[figure] ?? []);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function cell(x: number, y: number, value: number | undefined, share: number, someFailed: boolean): string {
  const from = [253, 231, 137] as const;
  const to = [33, 58, 110] as const;
  const color = from.map((c, i) => Math.round(c + ((to[i] ?? 0) - c) * share));
  const fill = value === undefined ? '#ccc' : `rgb(${color.join(',')})`;
  const text =
    value === undefined
      ? 'F'
      : Number(value.toPrecision(3)).toExponential().length > 6 && value >= 1e4
        ? value.toExponential(1)
        : String(Number(value.toPrecision(3)));
  const ink = share > 0.5 ? '#fff' : '#000';
  return `<rect x="${x}" y="${y}" width="${CELL - 2}" height="${CELL - 2}" fill="${fill}"/><text x="${x + CELL / 2}" y="${y + CELL / 2 + 4}" text-anchor="middle" fill="${ink}">${text}${someFailed ? '*' : ''}</text>`;
}

function slanted(x: number, y: number, text: string): string {
  return `<text x="${x}" y="${y}" transform="rotate(-${SLANT} ${x} ${y})">${escaped(text)}</text>`;
}

function label(x: number, y: number, text: string, anchor: string): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(text)}</text>`;
}
