import { computed, signal } from '@preact/signals';
import type { ClientView, PaneSpec, ProblemView } from '../engine/protocol.js';
import type { PaneResult } from '../engine/run-view.js';
import type { Difference } from '@hmm/report';

/** The parts of the page. */
export type Mode = 'compare' | 'step' | 'litmus' | 'lessons';

/** A stretch of the shared time axis, ns. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** The program in the editor. */
export const program = signal('');
/** The litmus test in the editor. */
export const litmusTest = signal('');
/** The execution of the litmus test that is shown; '' for the counterexample that exploring finds. */
export const replay = signal('');
/** What the panes run. */
export const panes = signal<readonly PaneSpec[]>([]);
/** The drivers that there are; empty until the engine has answered. */
export const clients = signal<readonly ClientView[]>([]);
/** What came of the latest run, by pane; empty before the first. */
export const results = signal<readonly PaneResult[]>([]);
/** What the panes did differently. */
export const differences = signal<readonly Difference[]>([]);
/** What is wrong with the text in the editor. */
export const problems = signal<readonly ProblemView[]>([]);
/** What went wrong with the last request as a whole, for the alert line. */
export const failure = signal('');
/** Whether a run is under way. */
export const busy = signal(false);
/** Which part of the page is open. */
export const mode = signal<Mode>('compare');
/** The open lesson. */
export const lesson = signal(0);
/** Counts how often the page was taken over from a URL. */
export const restored = signal(0);
/** Lessons that were answered rightly. */
export const finished = signal<readonly number[]>([]);
/** Lines of the program that the panes of step mode are at, with the names of those panes. */
export const stepLines = signal<ReadonlyMap<number, string>>(new Map());
/** Step that each pane is at in step mode. */
export const stepAt = signal<readonly number[]>([]);
/** The shared cursor, ns. */
export const cursor = signal(0);
/** The part of the time axis in view; undefined for all of it. */
export const zoom = signal<TimeWindow | undefined>(undefined);
/** The event whose chain is shown: pane and index in its columns. */
export const selection = signal<{ readonly pane: number; readonly event: number } | undefined>(undefined);
/** The page row under the cursor, by map row. */
export const cursorRow = signal(0);

/** The longest pane's virtual time: the end of the axis, ns. */
export const duration = computed(() =>
  Math.max(1, ...results.value.map((result) => (result.ok ? result.run.duration : 0))),
);

/** The time in view, ns. */
export const timeWindow = computed<TimeWindow>(() => zoom.value ?? { from: 0, to: duration.value });

/** Zooms by `factor` (below 1: in) about time `at`, ns, staying inside the run. */
export function zoomBy(factor: number, at: number): void {
  const { from, to } = timeWindow.value;
  const span = Math.min(Math.max((to - from) * factor, 10), duration.value);
  const begin = Math.min(Math.max(at - ((at - from) / (to - from)) * span, 0), duration.value - span);
  zoom.value = span >= duration.value ? undefined : { from: begin, to: begin + span };
}

/** Moves the view by `share` of its width (negative: back), staying inside the run. */
export function panBy(share: number): void {
  const { from, to } = timeWindow.value;
  const begin = Math.min(Math.max(from + share * (to - from), 0), duration.value - (to - from));
  if (zoom.value !== undefined) zoom.value = { from: begin, to: begin + to - from };
}

/** Puts the cursor at `at`, ns, and brings it into view. */
export function moveCursor(at: number): void {
  const time = Math.min(Math.max(at, 0), duration.value);
  cursor.value = time;
  const { from, to } = timeWindow.value;
  if (zoom.value !== undefined && (time < from || time > to)) {
    const begin = Math.min(Math.max(time - (to - from) / 2, 0), duration.value - (to - from));
    zoom.value = { from: begin, to: begin + to - from };
  }
}

/** Shows the chain behind an event, and puts the cursor where it begins. */
export function selectEvent(pane: number, event: number): void {
  const result = results.value[pane];
  if (result?.ok !== true || event < 0) return;
  selection.value = { pane, event };
  moveCursor(result.run.events.time[event] ?? 0);
}
