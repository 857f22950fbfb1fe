import { Fragment } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { PaneResult } from '../engine/run-view.js';
import { cursor, results } from '../state/store.js';
import { Counters } from './counters.js';
import { Differences } from './differences.js';
import { DifferenceStrip } from './difference-strip.js';
import { Lanes } from './lanes.js';
import { GUTTER } from './layout.js';
import { ResidencyMap } from './residency-map.js';
import { Summaries } from './summaries.js';
import { TimeAxis } from './time-axis.js';
import { xOf } from './time-gestures.js';
import { WhyPanel } from './why-panel.js';

/** Padding and border of a card, both sides, CSS pixels. */
const CARD_PADDING = 34;
const LEAST_WIDTH = 200;

/** The summaries, all panes below each other on one time axis, what differs, and the chain behind the selected event. */
export function Compare({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (host.current === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined)
        setWidth(Math.max(LEAST_WIDTH, Math.floor(entry.contentRect.width) - CARD_PADDING - GUTTER));
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
        <>
          <Summaries />
          <div class="time-axis-bar">
            <TimeAxis width={width} />
          </div>
          {results.value.map((result, pane) => (
            <Fragment key={pane}>
              {pane === 1 && <DifferenceStrip engine={engine} width={width} />}
              <Pane result={result} pane={pane} engine={engine} width={width} />
            </Fragment>
          ))}
          <Differences engine={engine} />
          <WhyPanel engine={engine} />
        </>
      )}
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
        {run.report === undefined &&
          run.figures.map(({ label, value }) => (
            <span key={label} class="soft">
              {label} {value}
            </span>
          ))}
      </header>
      <div class="pane-body">
        <ResidencyMap run={run} pane={pane} engine={engine} width={width} />
        <Lanes run={run} pane={pane} width={width} />
        {run.counters.length > 0 && <Counters run={run} width={width} />}
        <CursorLine width={width} />
      </div>
    </article>
  );
}

/** The shared cursor, through everything of a pane. */
function CursorLine({ width }: { readonly width: number }): preact.JSX.Element {
  const x = xOf(cursor.value, width);
  const seen = x >= 0 && x <= width;
  return <div class="cursor-line" aria-hidden="true" hidden={!seen} style={{ left: `${GUTTER + x}px` }} />;
}
