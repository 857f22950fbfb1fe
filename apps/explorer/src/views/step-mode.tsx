import { useEffect, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { FIVE_STEPS, type StepRun } from '../engine/step-view.js';
import { guarded } from '../state/actions.js';
import { panes, program, results, stepAt, stepLines } from '../state/store.js';
import { StepPane } from './step-pane.js';

/** The program step by step, forwards and back, on all panes beside each other. */
export function StepMode({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const [tracks, setTracks] = useState<readonly StepRun[]>([]);
  const shown = panes.value;
  useEffect(() => {
    let live = true;
    void guarded(async () => {
      const calls = shown.map((pane) => engine.call({ kind: 'steps', program: program.value, pane }));
      const answers = await Promise.all(calls);
      if (live) setTracks(answers);
    });
    return () => {
      live = false;
    };
  }, [results.value, panes.value]);

  useEffect(() => {
    stepLines.value = linesOf(tracks, stepAt.value);
  }, [tracks, stepAt.value]);

  const move = (pane: number, at: number): void => {
    stepAt.value = shown.map((_, i) => (i === pane ? at : (stepAt.value[i] ?? 0)));
  };
  return (
    <div class="step-mode">
      <FiveSteps tracks={tracks} />
      <div class="step-panes">
        {tracks.map((track, pane) =>
          track.ok ? (
            <StepPane
              key={pane}
              track={track}
              at={clampStep(track, stepAt.value[pane])}
              onMove={(at) => {
                move(pane, at);
              }}
            />
          ) : (
            <article key={pane} class="card">
              <h2>{track.title}</h2>
              <p role="status">{track.message}</p>
            </article>
          ),
        )}
      </div>
    </div>
  );
}

/** The five steps of the first example; each button moves all panes to its first step. */
function FiveSteps({ tracks }: { readonly tracks: readonly StepRun[] }): preact.JSX.Element {
  return (
    <nav class="five" aria-label="The five steps">
      {FIVE_STEPS.map((title, five) =>
        five === 0 ? null : (
          <button
            key={title}
            type="button"
            disabled={tracks.length === 0}
            onClick={() => {
              stepAt.value = tracks.map((track, i) =>
                track.ok ? firstOf(track, five) : (stepAt.value[i] ?? 0),
              );
            }}
          >
            <b>{five}</b> {title}
          </button>
        ),
      )}
    </nav>
  );
}

/** The first step of a run that belongs to step `five`; the first of all where there is none. */
function firstOf(track: Extract<StepRun, { ok: true }>, five: number): number {
  const at = track.steps.findIndex((step) => step.five === five);
  return Math.max(at, 0);
}

/** A step that a track has, whatever a URL says. */
function clampStep({ steps }: Extract<StepRun, { ok: true }>, at: number | undefined): number {
  return Math.min(Math.max(Math.floor(at ?? 0), 0), steps.length - 1);
}

/** Which panes are at which line of the program. */
function linesOf(tracks: readonly StepRun[], at: readonly number[]): ReadonlyMap<number, string> {
  const lines = new Map<number, string[]>();
  for (const [pane, track] of tracks.entries()) {
    if (!track.ok) continue;
    const line = track.steps[clampStep(track, at[pane])]?.line ?? 0;
    if (line > 0) lines.set(line, [...(lines.get(line) ?? []), track.client]);
  }
  return new Map(
    [...lines].map(([line, names]) => [line, names.length === tracks.length ? 'all' : names.join(', ')]),
  );
}
