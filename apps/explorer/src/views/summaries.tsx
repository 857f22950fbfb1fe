import { results, selectEvent } from '../state/store.js';

/** A sentence for each pane, with its biggest causes as links; and what the colours of the maps mean. */
export function Summaries(): preact.JSX.Element {
  return (
    <section class="card summaries" aria-label="Summary">
      {results.value.map((result, pane) => {
        if (!result.ok) return null;
        const { run } = result;
        return (
          <div key={pane} class="summary">
            <p class="sentence">{run.summary}</p>
            {run.causes.length > 0 && (
              <p class="soft">
                Biggest causes:
                {run.causes.map(({ text, event }) => (
                  <button
                    key={text}
                    type="button"
                    class="cause"
                    onClick={() => {
                      selectEvent(pane, event);
                      document.querySelectorAll('.pane')[pane]?.scrollIntoView({ block: 'nearest' });
                    }}
                  >
                    {text}
                  </button>
                ))}
              </p>
            )}
            {run.failures.map(({ line, seen }) => (
              <p key={line} class="problem">
                ✗ The assertion in line {line} does not hold: {seen}
              </p>
            ))}
          </div>
        );
      })}
      <MapLegend />
    </section>
  );
}

/** What the colours and patterns of the maps mean. */
export function MapLegend(): preact.JSX.Element {
  return (
    <ul class="legend map-legend" aria-label="Legend of the maps">
      <li>
        <i class="cpu" /> CPU memory
      </li>
      <li>
        <i class="gpu" /> GPU memory (hatched)
      </li>
      <li>
        <i class="both" /> both (dotted)
      </li>
      <li>
        <i class="nowhere" /> nowhere yet
      </li>
    </ul>
  );
}
