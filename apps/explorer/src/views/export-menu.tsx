import { formatCount } from '@hmm/report';
import { download, pictureOf, pngOf } from '../export/picture.js';
import { traceEvents } from '../export/trace-events.js';
import { guarded } from '../state/actions.js';
import { litmusTest, mode, program, replay, results } from '../state/store.js';

/** The seed of everything that hardware does by chance, in every run of the page. */
const SEED = 1;
/** More events than that would make a file that neither the browser nor Perfetto can take. */
const MAX_EXPORTED = 1_000_000;

/** What a picture shows, so that it can be made again. */
export function captionOf(): string {
  const runs = results.value.flatMap((result) =>
    result.ok ? [`${result.run.title} on ${result.run.gpu}`] : [],
  );
  const what =
    mode.value === 'litmus'
      ? `litmus test ${nameOf(litmusTest.value)}${replay.value === '' ? '' : `, execution ${replay.value}`}`
      : `program ${nameOf(program.value)} under ${runs.join(' and ')}`;
  return `HMM explorer: ${what}; seed ${SEED}; ${location.href.length < 300 ? location.href : 'program in the page’s address'}`;
}

function nameOf(text: string): string {
  return /^\s*(?:program|litmus|protocol)\s+(\S+)/m.exec(text)?.[1] ?? 'without a name';
}

/** Pictures of what is seen, and the runs as a file that Perfetto opens. */
export function ExportMenu(): preact.JSX.Element {
  const view = (): HTMLElement => {
    const element = document.querySelector<HTMLElement>('.view');
    if (element === null) throw new Error('there is nothing to export');
    return element;
  };
  return (
    <div class="exports" role="group" aria-label="Export">
      <span class="soft">Export</span>
      <button
        type="button"
        class="quiet"
        onClick={() =>
          void guarded(() => {
            const { svg } = pictureOf(view(), captionOf());
            download('hmm.svg', new Blob([svg], { type: 'image/svg+xml' }));
            return Promise.resolve();
          })
        }
      >
        SVG
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() =>
          void guarded(async () => {
            download('hmm.png', await pngOf(pictureOf(view(), captionOf())));
          })
        }
      >
        PNG
      </button>
      <button
        type="button"
        class="quiet"
        title="A file that ui.perfetto.dev opens; nothing is uploaded"
        onClick={() =>
          void guarded(() => {
            const runs = results.value.flatMap((result) => (result.ok ? [result.run] : []));
            const events = runs.reduce((sum, run) => sum + run.events.length, 0);
            if (events > MAX_EXPORTED)
              throw new Error(`${formatCount(events)} events are too many for a JSON file.`);
            download(
              'hmm-trace.json',
              new Blob([JSON.stringify(traceEvents(runs))], { type: 'application/json' }),
            );
            return Promise.resolve();
          })
        }
      >
        Perfetto
      </button>
    </div>
  );
}
