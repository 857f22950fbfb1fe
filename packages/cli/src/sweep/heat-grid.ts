import { escaped } from '@hmm/report';
import type { SweepAxis } from './grid.js';
import type { SweepResult } from './results.js';

const CELL = 56;
const LEFT = 140;
const TOP = 60;

/**
 * A heat grid as SVG: one figure over two axes (the mean over the others), dark where it is large, with the value in each cell; F
 * where every run failed.
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
  const drawn = cells.flatMap((row, j) =>
    row.map((value, i) =>
      cell(LEFT + i * CELL, TOP + j * CELL, value, value === undefined ? 0 : share(value)),
    ),
  );
  const columns = x.values.map((v, i) => label(LEFT + (i + 0.5) * CELL, TOP - 8, v, 'middle'));
  const rows = y.values.map((v, j) => label(LEFT - 8, TOP + (j + 0.6) * CELL, v, 'end'));
  const width = LEFT + x.values.length * CELL + 20;
  const height = TOP + y.values.length * CELL + 20;
  const title = label(LEFT, 20, `${figure}: ${x.name} across, ${y.name} down`, 'start');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui,sans-serif" font-size="12">${title}${columns.join('')}${rows.join('')}${drawn.join('')}</svg>\n`;
}

function meanOf(
  results: readonly SweepResult[],
  figure: string,
  place: Readonly<Record<string, string>>,
): number | undefined {
  const values = results
    .filter(
      (r) => r.error === null && Object.entries(place).every(([name, value]) => r.values[name] === value),
    )
    .flatMap(({ figures }) => figures[figure] ?? []);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function cell(x: number, y: number, value: number | undefined, share: number): string {
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
  return `<rect x="${x}" y="${y}" width="${CELL - 2}" height="${CELL - 2}" fill="${fill}"/><text x="${x + CELL / 2}" y="${y + CELL / 2 + 4}" text-anchor="middle" fill="${ink}">${text}</text>`;
}

function label(x: number, y: number, text: string, anchor: string): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(text)}</text>`;
}
