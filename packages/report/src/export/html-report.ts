import type { RunReport } from '../client-report.js';
import type { ResidencyGrid } from '../diagnosis/residency-map.js';
import { formatRun } from '../format-report.js';
import { formatCount, formatTime } from '../units.js';
import type { Timeline, TimelineCounter } from './timeline.js';

const WIDTH = 900;
const HEIGHT = 140;
const ROW = 6;

/** A run as one HTML file that needs nothing else: the summary, the residency map and the counters as SVG, the tables. */
export function htmlReport(report: RunReport, timeline: Timeline, grid: ResidencyGrid): string {
  const { run, diagnosis } = report;
  const charts = timeline.counters.filter(({ times }) => times.length > 0).map(chart);
  const title = escaped(`${report.program} under ${run.client}`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
pre{overflow-x:auto;font-size:13px}svg{max-width:100%;height:auto}figure{margin:1.5rem 0}figcaption{font-size:14px}
text{font:12px system-ui,sans-serif;fill:currentColor}
</style></head><body>
<h1>${title}</h1>
<p><strong>${escaped(diagnosis?.summary ?? '')}</strong></p>
${residency(grid, run.time_ns)}
${charts.join('\n')}
<h2>Figures</h2>
<pre>${escaped(formatRun(report))}</pre>
</body></html>
`;
}

/** Pages over time: blue on the host, orange and hatched on the device. */
function residency(grid: ResidencyGrid, ns: number): string {
  const rows = grid.regions.reduce((sum, region) => sum + region.rows, 0);
  if (rows === 0 || grid.columns === 0) return '';
  const width = WIDTH / grid.columns;
  const cells: string[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < grid.columns; column++) {
      const device = grid.device(row, column);
      const host = grid.host(row, column);
      const place = `x="${round(column * width)}" y="${row * ROW}" width="${round(width + 0.5)}" height="${ROW}"`;
      if (host > 0) cells.push(`<rect ${place} fill="#2678c8" fill-opacity="${round(host)}"/>`);
      if (device > 0) {
        cells.push(`<rect ${place} fill="#e68a00" fill-opacity="${round(device)}"/>`);
        if (device > 0.5) cells.push(`<rect ${place} fill="url(#hatch)"/>`);
      }
    }
  }
  const names = grid.regions.map(({ name, rows: n }) => `${name} (${n})`).join(', ');
  const hatch =
    '<pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse"><path d="M0 4L4 0" stroke="#000" stroke-opacity=".3"/></pattern>';
  return `<figure><svg viewBox="0 0 ${WIDTH} ${rows * ROW}" role="img" aria-label="Where pages are over time"><defs>${hatch}</defs>${cells.join('')}</svg>
<figcaption>Where pages are over ${formatTime(ns)}: orange, hatched on the device; blue on the host. Rows: ${escaped(names)}.</figcaption></figure>`;
}

function chart({ name, unit, times, values }: TimelineCounter): string {
  const end = Math.max(1, times.at(-1) ?? 1);
  const top = Math.max(
    1,
    values.reduce((most, value) => Math.max(most, value), 0),
  );
  const every = Math.max(1, Math.ceil(times.length / WIDTH));
  const points = times
    .flatMap((time, i) =>
      i % every === 0 || i === times.length - 1
        ? [`${round((time / end) * WIDTH)},${round(HEIGHT - ((values[i] ?? 0) / top) * HEIGHT)}`]
        : [],
    )
    .join(' ');
  return `<figure><svg viewBox="0 -4 ${WIDTH} ${HEIGHT + 8}" role="img" aria-label="${escaped(name)} over time"><polyline points="${points}" fill="none" stroke="#2678c8" stroke-width="2"/><text x="4" y="12">${escaped(formatCount(top))} ${escaped(unit)}</text></svg>
<figcaption>${escaped(name)}, up to ${escaped(formatCount(top))} ${escaped(unit)}, over ${formatTime(end)}</figcaption></figure>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Text as HTML shows it. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
