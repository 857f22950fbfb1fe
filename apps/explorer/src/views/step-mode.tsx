import { useEffect, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { FIVE_STEPS, type StepRun } from '../engine/step-view.js';
import { guarded } from '../state/actions.js';
import { panes, program, results, stepAt } from '../state/store.js';
import { StepPane } from './step-pane.js';

const SHOWN_PANES = 2;

/** The program step by step, forwards and back, on the first two panes beside each other. */
export function StepMode({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const [tracks, setTracks] = useState<readonly StepRun[]>([]);
  const shown = panes.value.slice(0, SHOWN_PANES);
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

  const move = (pane: number, at: number): void => {
    stepAt.value = shown.map((_, i) => (i === pane ? at : (stepAt.value[i] ?? 0)));
  };
  return (
    <div class="step-mode">
      <nav class="five" aria-label="The five steps">
        {FIVE_STEPS.map((title, five) =>
          five === 0 ? null : (
            <button
              key={title}
              type="button"
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
      <div class="step-panes">
        {tracks.map((track, pane) =>
          track.ok ? (
            <StepPane
              key={pane}
              track={track}
              at={Math.min(stepAt.value[pane] ?? 0, track.steps.length - 1)}
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

/** The first step of a run that belongs to step `five`; the first of all where there is none. */
function firstOf(track: Extract<StepRun, { ok: true }>, five: number): number {
  const at = track.steps.findIndex((step) => step.five === five);
  return Math.max(at, 0);
}
