import { formatTime } from '@hmm/report';
import { useState } from 'preact/hooks';
import { FIVE_STEPS, type StepRecord, type StepTrack } from '../engine/step-view.js';
import { BreakpointForm } from './breakpoint-form.js';
import { type Breakpoint, continueFrom, narrationAt } from './breakpoints.js';
import { StateTable } from './state-table.js';

/** One run step by step: where it is, what the step did, and the state after it with what it changed marked. */
export function StepPane(props: {
  readonly track: StepTrack;
  readonly at: number;
  readonly onMove: (at: number) => void;
}): preact.JSX.Element {
  const { track, at, onMove } = props;
  const [points, setPoints] = useState<readonly Breakpoint[]>([]);
  const step = track.steps[at];
  const last = track.steps.length - 1;
  const go = (to: number): void => {
    onMove(Math.min(Math.max(to, 0), last));
  };
  const stops = points.length > 0 ? points : [{ kind: 'five' as const, text: '' }];
  return (
    <article
      class="card step-pane"
      aria-label={`${track.title}, step by step`}
      onKeyDown={(event) => {
        if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
        const to = keyMove(event.key, at, () => continueFrom(track, at, stops));
        if (to === undefined) return;
        event.preventDefault();
        go(to);
      }}
    >
      <header>
        <h2>{track.title}</h2>
        <span class="soft">on {track.gpu}</span>
      </header>
      <Controls track={track} at={at} go={go} onward={() => continueFrom(track, at, stops)} />
      <BreakpointForm points={points} client={track.client} onChange={setPoints} />
      <Narration track={track} at={at} />
      <StateTable track={track} at={at} />
      {step !== undefined && <StepFacts track={track} at={at} step={step} />}
    </article>
  );
}

/** Back, forward, on to the next stop, and the place in the run. */
function Controls(props: {
  readonly track: StepTrack;
  readonly at: number;
  readonly go: (to: number) => void;
  /** The step at which going on stops. */
  readonly onward: () => number;
}): preact.JSX.Element {
  const { track, at, go, onward } = props;
  const last = track.steps.length - 1;
  const button = (text: string, disabled: boolean, to: () => number): preact.JSX.Element => (
    <button
      type="button"
      disabled={disabled}
      onClick={() => {
        go(to());
      }}
    >
      {text}
    </button>
  );
  return (
    <div class="controls" role="toolbar" aria-label={`Steps, ${track.client}`}>
      {button('◀ Previous', at <= 0, () => at - 1)}
      {button('Next ▶', at >= last, () => at + 1)}
      {button('Continue ▶▶', at >= last, onward)}
      <span class="count" aria-live="polite">
        step {at + 1} of {last + 1}
        {track.truncated ? ' (the run has more)' : ''}
      </span>
      <input
        type="range"
        min={0}
        max={last}
        value={at}
        aria-label={`Step, ${track.client}`}
        onInput={(event) => {
          go(Number(event.currentTarget.value));
        }}
      />
    </div>
  );
}

function keyMove(key: string, at: number, onward: () => number): number | undefined {
  if (key === 'ArrowRight' || key === 'j') return at + 1;
  if (key === 'ArrowLeft' || key === 'k') return at - 1;
  if (key === 'c') return onward();
  if (key === 'Home') return 0;
  return undefined;
}

function Narration({ track, at }: { readonly track: StepTrack; readonly at: number }): preact.JSX.Element {
  const { five, text } = narrationAt(track, at);
  return (
    <div class="narration" aria-live="polite">
      <ol>
        {FIVE_STEPS.slice(1).map((title, i) => (
          <li key={title} aria-current={i + 1 === five ? 'step' : undefined} title={title}>
            {i + 1}
          </li>
        ))}
      </ol>
      <p>
        {five === 0 ? (
          <span class="soft">On the CPU: none of the five steps.</span>
        ) : (
          <>
            <b>{FIVE_STEPS[five]}.</b> {text}
          </>
        )}
      </p>
    </div>
  );
}

function StepFacts({
  track,
  at,
  step,
}: {
  readonly track: StepTrack;
  readonly at: number;
  readonly step: StepRecord;
}): preact.JSX.Element {
  return (
    <dl class="facts">
      <dt>When, who</dt>
      <dd>
        {formatTime(step.time)}, {track.agents[step.agent] ?? ''}
        {step.line > 0 ? `, line ${step.line}` : ''}
      </dd>
      <dt>Functions</dt>
      <dd class="code">{step.functions.join(' → ') || '–'}</dd>
      <dt>Events</dt>
      <dd class="code">{step.events.join('; ') || '–'}</dd>
      <dt>Locks held</dt>
      <dd class="code">
        <Locks now={step.locks} before={track.steps[at - 1]?.locks ?? []} />
      </dd>
      <dt>Invariants</dt>
      <dd class={step.broken === '' ? 'good' : 'problem'}>
        {step.broken === '' ? '✓ hold' : `✗ ${step.broken}`}
      </dd>
    </dl>
  );
}

/** Locks held, and what this step took and released. */
function Locks(props: {
  readonly now: readonly string[];
  readonly before: readonly string[];
}): preact.JSX.Element {
  const { now, before } = props;
  const released = before.filter((lock) => !now.includes(lock));
  if (now.length + released.length === 0) return <>none</>;
  return (
    <>
      {now.map((lock) => (
        <span key={lock} class={before.includes(lock) ? 'lock' : 'lock changed'}>
          {before.includes(lock) ? '' : '● taken '}
          {lock}
        </span>
      ))}
      {released.map((lock) => (
        <span key={lock} class="lock changed">
          ○ released {lock}
        </span>
      ))}
    </>
  );
}
