import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { PaneResult, RunView } from '../engine/run-view.js';
import { results, selectEvent } from '../state/store.js';
import { Counters } from './counters.js';
import { DifferenceStrip } from './difference-strip.js';
import { Lanes } from './lanes.js';
import { GUTTER } from './layout.js';
import { ResidencyMap } from './residency-map.js';
import { TimeAxis } from './time-axis.js';
import { WhyPanel } from './why-panel.js';

/** Padding and border of a card, both sides, CSS pixels. */
const CARD_PADDING = 34;

/** All panes below each other on one time axis, what differs between them, and the chain behind the selected event. */
export function Compare({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (host.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined)
        setWidth(Math.max(200, Math.floor(entry.contentRect.width) - CARD_PADDING - GUTTER));
    });
    observer.observe(host.current);
    return () => {
      observer.disconnect();
    };
  }, []);
  const ran = results.value.length > 0 && width > 0;
  return (
    <div ref={host} class="compare">
      {ran && (
        <div class="time-axis-bar">
          <TimeAxis width={width} />
        </div>
      )}
      {ran &&
        results.value.map((result, pane) => (
          <Pane key={pane} result={result} pane={pane} engine={engine} width={width} />
        ))}
      {ran && <DifferenceStrip engine={engine} width={width} />}
      {ran && <WhyPanel engine={engine} />}
    </div>
  );
}

function Pane(props: {
  readonly result: PaneResult;
  readonly pane: number;
  readonly engine: Engine;
  readonly width: number;
}): preact.JSX.Element {
  const { result, pane, engine, width } = props;
  if (!result.ok) {
    return (
      <article class="card pane">
        <h2>{result.title}</h2>
        <p role="status">{result.message}</p>
      </article>
    );
  }
  const { run } = result;
  return (
    <article class="card pane" aria-label={`${run.title} on ${run.gpu}`}>
      <header>
        <h2>{run.title}</h2>
        <span class="soft">on {run.gpu}</span>
        {run.changed.map((text) => (
          <span key={text} class="note">
            {text}
          </span>
        ))}
      </header>
      <Summary run={run} pane={pane} />
      <ResidencyMap run={run} pane={pane} engine={engine} width={width} />
      <Lanes run={run} pane={pane} width={width} />
      <Counters run={run} width={width} />
    </article>
  );
}

function Summary({ run, pane }: { readonly run: RunView; readonly pane: number }): preact.JSX.Element {
  return (
    <>
      <p class="summary">
        {run.summary}{' '}
        {run.causes.map(({ text, event }) => (
          <button
            key={text}
            type="button"
            class="cause"
            onClick={() => {
              selectEvent(pane, event);
            }}
          >
            {text}
          </button>
        ))}
      </p>
      {run.failures.map(({ line, seen }) => (
        <p key={line} class="problem">
          The assertion in line {line} does not hold: {seen}
        </p>
      ))}
      <dl class="figures">
        {run.figures.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
