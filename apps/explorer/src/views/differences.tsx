import type { Difference } from '@hmm/report';
import { useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { ExplicitView } from '../engine/explicit-view.js';
import type { PaneResult, RunView } from '../engine/run-view.js';
import { guarded, runIfChanged } from '../state/actions.js';
import { differences, panes, program, results } from '../state/store.js';

/** The figures of all panes beside each other, and what they do differently, by which rule. */
export function Differences({ engine }: { readonly engine: Engine }): preact.JSX.Element | null {
  const runs = results.value.flatMap((result) =>
    result.ok && result.run.report !== undefined ? [result.run] : [],
  );
  if (runs.length === 0) return null;
  return (
    <section class="card differences" aria-label="What differs">
      <h2>{runs.length > 1 ? 'What differs, and why' : 'Figures'}</h2>
      <FigureTable runs={runs} />
      {runs.length > 1 && differences.value.length === 0 && <p>Nothing that is measured differs.</p>}
      <ol>
        {byReason(differences.value).map(({ what, why }) => (
          <li key={why}>
            <strong>{what.join('. ')}.</strong> <span class="soft">{why}</span>
          </li>
        ))}
      </ol>
      <BesideExplicit engine={engine} />
    </section>
  );
}

/** On request: how many times the runs cost what the same program does with explicit memory and copies at launches. */
function BesideExplicit({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const [asked, setAsked] = useState<{ of: readonly PaneResult[]; view: ExplicitView }>();
  const ask = (): void => {
    void guarded(async () => {
      await runIfChanged(engine);
      const call = { kind: 'explicit', program: program.value, panes: panes.value } as const;
      setAsked({ of: results.value, view: await engine.call(call) });
    });
  };
  if (asked?.of !== results.value)
    return (
      <button type="button" onClick={ask}>
        Compare with explicit memory
      </button>
    );
  const { says, why } = asked.view;
  return (
    <div role="status">
      {says.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      {why !== '' && <p>No explicit form: {why}.</p>}
    </div>
  );
}

/** Differences that the same rules explain are told together. */
function byReason(all: readonly Difference[]): { what: string[]; why: string }[] {
  const reasons = new Map<string, string[]>();
  for (const { what, why } of all) {
    const same = reasons.get(why);
    if (same === undefined) reasons.set(why, [what]);
    else same.push(what);
  }
  return [...reasons].map(([why, what]) => ({ why, what }));
}

const NOTHING = /^0(?:$| B$| page| in 0 | throttled, 0 )/;

/** A row a figure, a column a pane; what is nothing in every pane is left out. */
function FigureTable({ runs }: { readonly runs: readonly RunView[] }): preact.JSX.Element {
  const labels = (runs[0]?.figures ?? [])
    .map(({ label }, at) => ({ label, values: runs.map((run) => run.figures[at]?.value ?? '') }))
    .filter(({ values }) => values.some((value) => !NOTHING.test(value)));
  return (
    <div class="figure-table" role="region" aria-label="Figures" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Figure</th>
            {labels.map(({ label }) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.map((run, pane) => (
            <tr key={pane}>
              <th scope="row">
                {run.client} <span class="soft">{run.gpu}</span>
              </th>
              {labels.map(({ label, values }) => (
                <td key={label} class={values.every((value) => value === values[0]) ? 'soft' : ''}>
                  {values[pane]}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
