import { formatCount } from '@hmm/report';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { CounterView, RunView } from '../engine/run-view.js';
import { cursor, moveCursor, timeWindow } from '../state/store.js';
import { palette } from '../state/theme.js';
import { lowerBound } from '../tiles/lane-index.js';
import { GUTTER } from './layout.js';
import { timeAt } from './time-gestures.js';

const HEIGHT = 56;
/** How each line is dashed, and the same for what underlines its name. */
const DASHES = [[], [5, 3], [2, 2]];
const BORDERS = ['solid', 'dashed', 'dotted'];
/** Steps of the axis: counters are whole numbers. */
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7,
];

/** Counters over time, those of one unit together; what stays 0 is left out. Lines differ by dash and colour. */
export function Counters(props: { readonly run: RunView; readonly width: number }): preact.JSX.Element {
  const { run, width } = props;
  const counted = run.counters.filter(({ value }) => value.some((n) => n > 0));
  const units = [...new Set(counted.map(({ unit }) => unit))];
  return (
    <div class="counters">
      {units.map((unit) => (
        <CounterPlot
          key={unit}
          unit={unit}
          client={run.client}
          counters={counted.filter((counter) => counter.unit === unit)}
          width={width}
        />
      ))}
    </div>
  );
}

function CounterPlot(props: {
  readonly unit: CounterView['unit'];
  readonly client: string;
  readonly counters: readonly CounterView[];
  readonly width: number;
}): preact.JSX.Element {
  const { unit, client, counters, width } = props;
  const host = useRef<HTMLDivElement>(null);
  const plotted = useRef<uPlot>(null);
  const { from, to } = timeWindow.value;
  const [first] = counters;

  useEffect(() => {
    if (host.current === null || first === undefined) return;
    const plot = new uPlot(
      optionsOf(counters, width),
      [Array.from(first.time, (ns) => ns / 1000), ...counters.map(({ value }) => Array.from(value))],
      host.current,
    );
    plotted.current = plot;
    return () => {
      plotted.current = null;
      plot.destroy();
    };
  }, [first, width, palette.value]);
  useEffect(() => {
    plotted.current?.setScale('x', { min: from / 1000, max: to / 1000 });
  }, [first, width, from, to, palette.value]);

  return (
    <figure class="counter">
      <div class="counter-legend gutter" style={{ width: `${GUTTER - AXIS}px` }}>
        <CounterLegend unit={unit} counters={counters} />
      </div>
      <div
        ref={host}
        role="img"
        aria-label={counterSentence(unit, client, counters)}
        onPointerDown={(event) => {
          if (event.target instanceof HTMLElement && event.target.className === 'u-over')
            moveCursor(timeAt(event, width));
        }}
      />
    </figure>
  );
}

/** Width of the numbers left of a plot, CSS pixels. */
const AXIS = 40;

/** Which line is which counter, with its value at the cursor. */
function CounterLegend(props: {
  readonly unit: CounterView['unit'];
  readonly counters: readonly CounterView[];
}): preact.JSX.Element {
  return (
    <ul class="legend" aria-label="Counters at the cursor">
      {props.counters.map(({ label, time, value }, index) => (
        <li key={label}>
          <span
            style={{
              borderBottom: `2px ${BORDERS[index % BORDERS.length] ?? 'solid'} ${palette.value.lines[index] ?? ''}`,
            }}
          >
            {label}
          </span>{' '}
          <b>{formatCount(Math.round(value[Math.max(0, lowerBound(time, cursor.value + 1) - 1)] ?? 0))}</b>
          {props.unit === 'count' ? '' : ` ${props.unit}`}
        </li>
      ))}
    </ul>
  );
}

/** Counters stay what they are until the next look. */
const STEPPED = uPlot.paths.stepped?.({ align: 1 });

function optionsOf(counters: readonly CounterView[], width: number): uPlot.Options {
  const { ink, grid, lines } = palette.value;
  return {
    width: width + AXIS,
    height: HEIGHT,
    padding: [7, 0, 7, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: (_, least, most) => [Math.min(0, least), Math.max(1, most)] } },
    axes: [
      { show: false },
      {
        stroke: ink,
        grid: { stroke: grid, width: 1 },
        ticks: { show: false },
        font: '10px system-ui',
        size: AXIS,
        space: 18,
        incrs: STEPS,
      },
    ],
    series: [
      { label: 'us' },
      ...counters.map(({ label }, index) => ({
        label,
        stroke: lines[index] ?? ink,
        width: 1.5,
        dash: DASHES[index % DASHES.length] ?? [],
        points: { show: false },
        ...(STEPPED === undefined ? {} : { paths: STEPPED }),
      })),
    ],
  };
}

function counterSentence(unit: string, client: string, counters: readonly CounterView[]): string {
  const last = counters.map(({ label, value }) => `${label} ${Math.round(value.at(-1) ?? 0)}`).join(', ');
  return `Counters (${unit}) at the end of the run, ${client}: ${last}`;
}
