import { useEffect, useMemo, useRef } from 'preact/hooks';
import { drawLanes, hitLane, LANE_HEIGHT } from '../draw/lanes-canvas.js';
import { colourOfGpu } from '../draw/palette.js';
import { type LaneLooks, looksOf } from '../engine/lanes.js';
import { type RunView, STATEMENT_KIND } from '../engine/run-view.js';
import { moveCursor, selectEvent, selection, timeWindow } from '../state/store.js';
import { palette } from '../state/theme.js';
import { GUTTER } from './layout.js';
import { onTimeKey, onTimeWheel, timeAt } from './time-gestures.js';
import { timeText } from './time-text.js';

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
    () => run.laneIndex.map((lane, at) => ({ lane, ...looksOfLane(run, names[at] ?? '') })),
    [run],
  );
  const { from, to } = timeWindow.value;
  const selected = selection.value?.pane === pane ? selection.value.event : -1;
  const label = (event: number): string => (isStatement(run, event) ? kernelLabel(run, event) : '');
  const view = { from, to, width, selected, label };

  useEffect(() => {
    const ctx = canvas.current?.getContext('2d');
    if (ctx !== null && ctx !== undefined) drawLanes(ctx, lanes, events, view, palette.value);
  }, [lanes, from, to, width, selected, palette.value]);

  const readout =
    selected < 0
      ? 'no event selected'
      : `${kernelLabel(run, selected)} at ${timeText(events.time[selected] ?? 0)}`;

  return (
    <div class="strip lanes">
      <LaneNames names={names} lanes={lanes} />
      <canvas
        ref={canvas}
        width={width}
        height={lanes.length * LANE_HEIGHT}
        tabIndex={0}
        role="application"
        aria-label={`Events of ${run.client}: ${readout}. Left and right select the previous and next event.`}
        onPointerDown={(event) => {
          const hit = hitLane(lanes, events, view, event.offsetX, event.offsetY);
          if (hit >= 0) selectEvent(pane, hit);
          else moveCursor(timeAt(event, width));
        }}
        onWheel={(event) => {
          onTimeWheel(event, width);
        }}
        onKeyDown={(event) => {
          const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
          if (step !== 0) selectEvent(pane, Math.min(Math.max(selected + step, 0), events.length - 1));
          else if (event.ctrlKey || event.metaKey || !onTimeKey(event.key)) return;
          event.preventDefault();
        }}
      />
    </div>
  );
}

function LaneNames(props: {
  readonly names: readonly string[];
  readonly lanes: readonly LaneLooks[];
}): preact.JSX.Element {
  return (
    <ul class="gutter lane-names" style={{ width: `${GUTTER}px` }} aria-hidden="true">
      {props.names.map((name, at) => (
        <li key={name} style={{ height: `${LANE_HEIGHT}px` }} title={name}>
          {name} <LaneChip looks={props.lanes[at]} />
        </li>
      ))}
    </ul>
  );
}

/** The colour of a lane beside its name. */
function LaneChip({ looks }: { readonly looks: LaneLooks | undefined }): preact.JSX.Element {
  const role = looks?.role ?? 'other';
  if (looks === undefined || looks.gpu < 0 || role !== 'gpu') return <i class={`chip-${role}`} />;
  return <i style={{ background: colourOfGpu(palette.value, looks.gpu) }} />;
}

/** How a lane of a run looks; where there is one GPU, nothing needs to tell it apart. */
function looksOfLane({ gpus }: RunView, name: string): LaneLooks {
  const looks = looksOf(name);
  return gpus > 1 ? looks : { ...looks, gpu: -1 };
}

/** What an event is called, with the GPU of a kernel where there are several. */
function kernelLabel(run: RunView, event: number): string {
  const name = eventName(run, event);
  if (run.gpus < 2 || !isStatement(run, event)) return name;
  const gpu = run.statements[run.events.value[event] ?? 0]?.gpu ?? -1;
  return gpu < 0 ? name : `GPU ${gpu}: ${name}`;
}

function isStatement({ events, kinds }: RunView, event: number): boolean {
  return kinds[events.kind[event] ?? 0] === STATEMENT_KIND;
}

/** What an event is called: the statement, or the tracepoint. */
export function eventName(run: RunView, event: number): string {
  const kind = run.kinds[run.events.kind[event] ?? 0] ?? '';
  return kind === STATEMENT_KIND ? (run.statements[run.events.value[event] ?? 0]?.text ?? kind) : kind;
}
