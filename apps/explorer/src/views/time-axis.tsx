import { cursor, timeWindow, zoom } from '../state/store.js';
import { GUTTER } from './layout.js';
import { timeText } from './time-text.js';

const HEIGHT = 22;
const TICKS = 6;

/** Round steps for a time axis: 1, 2 or 5 times a power of ten. */
export function tickStep(span: number, ticks: number): number {
  const raw = span / ticks;
  const power = 10 ** Math.floor(Math.log10(raw));
  const factor = [1, 2, 5, 10].find((f) => f * power >= raw) ?? 10;
  return factor * power;
}

/** The shared time axis with the cursor's time; a button goes back to the whole run. */
export function TimeAxis({ width }: { readonly width: number }): preact.JSX.Element {
  const { from, to } = timeWindow.value;
  const step = tickStep(to - from, TICKS);
  const first = Math.ceil(from / step) * step;
  const ticks = Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, i) => first + i * step);
  const x = (time: number): number => GUTTER + ((time - from) / (to - from)) * width;
  return (
    <div class="time-axis">
      <svg
        width={GUTTER + width}
        height={HEIGHT}
        role="img"
        aria-label={`Time from ${timeText(from)} to ${timeText(to)}`}
      >
        {ticks.map((time) => (
          <g key={time}>
            <line x1={x(time)} x2={x(time)} y1={HEIGHT - 5} y2={HEIGHT} />
            {x(time) < GUTTER + width - 60 && (
              <text x={x(time) + 3} y={HEIGHT - 7}>
                {timeText(time)}
              </text>
            )}
          </g>
        ))}
        <text class="axis-name" x={0} y={HEIGHT - 7}>
          cursor {timeText(cursor.value)}
        </text>
      </svg>
      {zoom.value !== undefined && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            zoom.value = undefined;
          }}
        >
          Whole run
        </button>
      )}
    </div>
  );
}
