import { formatTime } from '@hmm/report';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { drawLanes, hitLane, LANE_HEIGHT } from '../draw/lanes-canvas.js';
import { type RunView, STATEMENT_KIND } from '../engine/run-view.js';
import { cursor, moveCursor, selectEvent, selection, timeWindow } from '../state/store.js';
import { palette } from '../state/theme.js';
import { buildLanes } from '../tiles/lane-index.js';
import { GUTTER } from './layout.js';

/** CPU threads, GPU, fault worker, copy engines, locks and notifiers over time; a click shows an event's chain. */
export function Lanes(props: {
  readonly run: RunView;
  readonly pane: number;
  readonly width: number;
}): preact.JSX.Element {
  const { run, pane, width } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { events, lanes: names } = run;
  const lanes = useMemo(
    () => buildLanes(events.time, events.end, events.lane, events.length, names.length),
    [events, names],
  );
  const { from, to } = timeWindow.value;
  const selected = selection.value?.pane === pane ? selection.value.event : -1;
  const arrows = new Set(names.flatMap((name, at) => (name === 'retries' ? [at] : [])));
  const view = { from, to, width, selected, arrows };

  useEffect(() => {
    const ctx = canvas.current?.getContext('2d');
    if (ctx === null || ctx === undefined) return;
    drawLanes(ctx, lanes, view, palette.value);
    ctx.fillStyle = palette.value.mark;
    ctx.fillRect(((cursor.value - from) / (to - from)) * width, 0, 1, lanes.length * LANE_HEIGHT);
  }, [lanes, from, to, width, selected, cursor.value, palette.value]);

  const kind = selected < 0 ? '' : (run.kinds[events.kind[selected] ?? 0] ?? '');
  const statement = run.statements[events.value[selected] ?? 0];
  const readout =
    selected < 0
      ? 'no event selected'
      : `${kind === STATEMENT_KIND ? (statement?.text ?? '') : kind} at ${formatTime(events.time[selected] ?? 0)}`;

  return (
    <div class="strip lanes">
      <ul class="gutter lane-names" style={{ width: `${GUTTER}px` }} aria-hidden="true">
        {names.map((name) => (
          <li key={name} style={{ height: `${LANE_HEIGHT}px` }} title={name}>
            {name}
          </li>
        ))}
      </ul>
      <canvas
        ref={canvas}
        width={width}
        height={lanes.length * LANE_HEIGHT}
        tabIndex={0}
        role="application"
        aria-label={`Events of ${run.client}: ${readout}. Left and right select the previous and next event.`}
        onPointerDown={(event) => {
          const hit = hitLane(lanes, view, event.offsetX, event.offsetY);
          if (hit >= 0) selectEvent(pane, hit);
          else moveCursor(from + (event.offsetX / width) * (to - from));
        }}
        onKeyDown={(event) => {
          const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
          if (step === 0) return;
          event.preventDefault();
          selectEvent(pane, Math.min(Math.max(selected + step, 0), events.length - 1));
        }}
      />
    </div>
  );
}
