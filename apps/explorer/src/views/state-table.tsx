import { useMemo } from 'preact/hooks';
import type { StepTrack } from '../engine/step-view.js';
import { stateAt } from './breakpoints.js';

/** Both page-table entries and the folio of each page after a step, and the notifiers; what the step changed is marked. */
export function StateTable({
  track,
  at,
}: {
  readonly track: StepTrack;
  readonly at: number;
}): preact.JSX.Element {
  const state = useMemo(() => stateAt(track, at), [track, at]);
  const changed = new Set(track.steps[at]?.changes.map(([key]) => key));
  const names = [
    ...new Set(
      track.keys.filter((key) => !key.startsWith('notifier')).map((key) => key.replace(/^\S+ /, '')),
    ),
  ];
  return (
    <div class="state">
      <table>
        <thead>
          <tr>
            <th scope="col">Page</th>
            <th scope="col">CPU entry</th>
            <th scope="col">GPU entry</th>
            <th scope="col">Folio</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {(['CPU', 'GPU', 'folio'] as const).map((part) => (
                <StateCell
                  key={part}
                  text={state.get(`${part} ${name}`)}
                  changed={changed.has(`${part} ${name}`)}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {track.keys
        .filter((key) => key.startsWith('notifier'))
        .map((key) => (
          <p key={key} class={changed.has(key) ? 'changed' : ''}>
            {changed.has(key) ? '● ' : ''}
            {key}: {state.get(key) ?? 'none'}
          </p>
        ))}
    </div>
  );
}

function StateCell({
  text,
  changed,
}: {
  readonly text: string | undefined;
  readonly changed: boolean;
}): preact.JSX.Element {
  return (
    <td class={changed ? 'changed' : ''}>
      {changed ? <b aria-label="changed">● </b> : null}
      {text ?? <span class="soft">none</span>}
    </td>
  );
}
