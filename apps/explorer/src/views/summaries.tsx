import { useEffect, useRef } from 'preact/hooks';
import { paintResidency } from '../draw/residency-canvas.js';
import { results, selectEvent } from '../state/store.js';
import { palette } from '../state/theme.js';
import { GPU_STATES, NOWHERE, ON_BOTH, ON_CPU, stateOfGpu } from '../tiles/residency-raster.js';
import { stateName } from './state-names.js';

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
      <MapLegend gpus={Math.max(1, ...results.value.map((result) => (result.ok ? result.run.gpus : 1)))} />
    </section>
  );
}

/** What the colours and patterns of the maps mean, in machines of up to `gpus` GPUs. */
export function MapLegend({ gpus = 1 }: { readonly gpus?: number }): preact.JSX.Element {
  return gpus > 1 ? (
    <LegendOfGpus gpus={gpus} />
  ) : (
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

/** The same for several GPUs, drawn as the maps are. */
function LegendOfGpus({ gpus }: { readonly gpus: number }): preact.JSX.Element {
  const shown = Array.from({ length: Math.min(gpus, GPU_STATES) }, (_, gpu) => stateOfGpu(gpu));
  return (
    <ul class="legend map-legend" aria-label="Legend of the maps">
      {[ON_CPU, ...shown, ON_BOTH, NOWHERE].map((state) => (
        <li key={state}>
          <Swatch state={state} /> {state === NOWHERE ? 'nowhere yet' : stateName(state, gpus)}
        </li>
      ))}
    </ul>
  );
}

const SWATCH = { width: 24, height: 12 };

function Swatch({ state }: { readonly state: number }): preact.JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const { width, height } = SWATCH;
    const cells = new Uint8Array(width).fill(state);
    const image = paintResidency(cells, width, 1, height, palette.value);
    canvas.current?.getContext('2d')?.putImageData(image, 0, 0);
  }, [state, palette.value]);
  return <canvas ref={canvas} class="swatch" {...SWATCH} aria-hidden="true" />;
}
