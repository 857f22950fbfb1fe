import { useEffect, useRef } from 'preact/hooks';
import { formatCount } from '@hmm/report';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { RunView } from '../engine/run-view.js';
import { cursor, timeWindow } from '../state/store.js';
import { palette } from '../state/theme.js';
import { lowerBound } from '../tiles/lane-index.js';
import { GUTTER } from './layout.js';

const HEIGHT = 92;
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];
const sync = uPlot.sync('time');

/** Faults, bytes and the like over time; the cursor is shared by all panes. Lines differ by dash, not by colour alone. */
export function Counters(props: { readonly run: RunView; readonly width: number }): preact.JSX.Element {
  const { run, width } = props;
  const host = useRef<HTMLDivElement>(null);
  const plotted = useRef<uPlot>(null);
  const { from, to } = timeWindow.value;

  useEffect(() => {
    const element = host.current;
    const first = run.counters[0];
    if (element === null || first === undefined) return;
    const plot = new uPlot(
      optionsOf(run, width, from, to),
      [Array.from(first.time, (ns) => ns / 1000), ...run.counters.map(({ value }) => Array.from(value))],
      element,
    );
    plotted.current = plot;
    return () => {
      plotted.current = null;
      plot.destroy();
    };
  }, [run, width, from, to, palette.value]);

  useEffect(() => {
    const left = ((cursor.value - from) / (to - from)) * width;
    plotted.current?.setCursor({ left, top: HEIGHT / 2 }, false);
  }, [cursor.value, run, width, from, to, palette.value]);

  return (
    <figure class="counters">
      <div ref={host} role="img" aria-label={counterSentence(run)} />
      <figcaption>
        <CounterLegend run={run} />
      </figcaption>
    </figure>
  );
}

/** Which dash is which counter, with its value at the cursor. */
function CounterLegend({ run }: { readonly run: RunView }): preact.JSX.Element {
  return (
    <ul class="legend" aria-label="Counters at the cursor">
      {run.counters.map(({ label, time, value }, index) => (
        <li key={label}>
          <svg width="26" height="8" aria-hidden="true">
            <line
              x1="0"
              x2="26"
              y1="4"
              y2="4"
              stroke-dasharray={(DASHES[index % DASHES.length] ?? []).join(' ')}
            />
          </svg>{' '}
          {label}{' '}
          <b>{formatCount(Math.round(value[Math.max(0, lowerBound(time, cursor.value + 1) - 1)] ?? 0))}</b>
        </li>
      ))}
    </ul>
  );
}

function optionsOf(run: RunView, width: number, from: number, to: number): uPlot.Options {
  const { ink, grid } = palette.value;
  const axis = {
    stroke: ink,
    grid: { stroke: grid, width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  };
  return {
    width: width + GUTTER,
    height: HEIGHT,
    padding: [6, 0, 8, 0],
    legend: { show: false },
    cursor: { sync: { key: sync.key }, points: { size: 5 } },
    scales: { x: { time: false, range: [from / 1000, to / 1000] } },
    axes: [{ show: false }, { ...axis, size: GUTTER, space: 24 }],
    series: [
      { label: 'us' },
      ...run.counters.map(({ label }, index) => ({
        label,
        stroke: ink,
        width: 1.25,
        dash: DASHES[index % DASHES.length] ?? [],
        points: { show: false },
      })),
    ],
  };
}

function counterSentence(run: RunView): string {
  const last = run.counters.map(({ label, value }) => `${label} ${value.at(-1) ?? 0}`).join(', ');
  return `Counters at the end of the run, ${run.client}: ${last}`;
}
