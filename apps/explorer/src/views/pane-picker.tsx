import { NEWEST_EXACT_RELEASE, RELEASES } from '@hmm/kernel';
import type { PaneSpec } from '../engine/protocol.js';
import { releaseOf, withRelease } from '../state/pane-release.js';
import { clients, panes } from '../state/store.js';

const MAX_PANES = 4;

/** Which driver runs in which pane, on which GPU, with which settings. */
export function PanePicker(): preact.JSX.Element {
  const change = (at: number, pane: PaneSpec | undefined): void => {
    panes.value = panes.value.flatMap((old, i) => (i === at ? (pane === undefined ? [] : [pane]) : [old]));
  };
  return (
    <fieldset class="panes">
      <legend>Panes</legend>
      {panes.value.map((pane, at) => (
        <PaneRow
          key={at}
          at={at}
          pane={pane}
          alone={panes.value.length === 1}
          onChange={(next) => {
            change(at, next);
          }}
        />
      ))}
      {panes.value.length > 0 && panes.value.length < MAX_PANES && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            const client = clients.value[0]?.name ?? '';
            panes.value = [...panes.value, { client, gpu: '', settings: [] }];
          }}
        >
          Add a pane
        </button>
      )}
    </fieldset>
  );
}

function PaneRow(props: {
  readonly at: number;
  readonly pane: PaneSpec;
  readonly alone: boolean;
  readonly onChange: (pane: PaneSpec | undefined) => void;
}): preact.JSX.Element {
  const { at, pane, alone, onChange } = props;
  const client = clients.value.find(({ name }) => name === pane.client);
  return (
    <div class="pane-row">
      <select
        aria-label={`Driver of pane ${at + 1}`}
        value={pane.client}
        onChange={(event) => {
          onChange({ client: event.currentTarget.value, gpu: '', settings: [] });
        }}
      >
        {clients.value.map(({ name, title }) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
      <button
        type="button"
        class="quiet"
        aria-label={`Remove pane ${at + 1}`}
        disabled={alone}
        onClick={() => {
          onChange(undefined);
        }}
      >
        ×
      </button>
      <GpuOfPane
        at={at}
        gpu={pane.gpu}
        gpus={client?.gpus ?? []}
        onChange={(gpu) => {
          onChange({ ...pane, gpu });
        }}
      />
      <ReleaseOfPane
        at={at}
        settings={pane.settings}
        onChange={(settings) => {
          onChange({ ...pane, settings });
        }}
      />
      <PaneSettings
        at={at}
        settings={pane.settings}
        known={Object.entries(client?.settings ?? {})}
        onChange={(settings) => {
          onChange({ ...pane, settings });
        }}
      />
    </div>
  );
}

/** The GPU of a pane: one that its driver knows, or the program's. */
function GpuOfPane(props: {
  readonly at: number;
  readonly gpu: string;
  readonly gpus: readonly string[];
  readonly onChange: (gpu: string) => void;
}): preact.JSX.Element {
  const { at, gpu, gpus, onChange } = props;
  return (
    <label>
      <span>GPU</span>
      <select
        aria-label={`GPU of pane ${at + 1}`}
        value={gpu}
        onChange={(event) => {
          onChange(event.currentTarget.value);
        }}
      >
        <option value="">as the program says</option>
        {gpus.map((known) => (
          <option key={known} value={known}>
            {known}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The release of Linux in a pane: one of its settings, which it is in the link as. */
function ReleaseOfPane(props: {
  readonly at: number;
  readonly settings: readonly string[];
  readonly onChange: (settings: readonly string[]) => void;
}): preact.JSX.Element {
  const { at, settings, onChange } = props;
  return (
    <label>
      <span>Linux</span>
      <select
        aria-label={`Linux of pane ${at + 1}`}
        value={releaseOf(settings)}
        onChange={(event) => {
          onChange(withRelease(settings, event.currentTarget.value));
        }}
      >
        <option value="">as the program says, or {NEWEST_EXACT_RELEASE}</option>
        {RELEASES.map((release) => (
          <option key={release} value={release}>
            {release}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The settings of a pane as words, with those that its driver knows to choose from. */
function PaneSettings(props: {
  readonly at: number;
  readonly settings: readonly string[];
  readonly known: readonly (readonly [name: string, text: string])[];
  readonly onChange: (settings: readonly string[]) => void;
}): preact.JSX.Element {
  const { at, settings, known, onChange } = props;
  const list = `settings-${at}`;
  return (
    <>
      <label>
        <span>Settings</span>
        <input
          aria-label={`Settings of pane ${at + 1}, name=value`}
          placeholder={known[0] === undefined ? 'name=value …' : `${known[0][0]}=… or rounds=8`}
          title={known.map(([name, text]) => `${name}: ${text}`).join('\n')}
          list={list}
          value={settings.join(' ')}
          onChange={(event) => {
            onChange(event.currentTarget.value.split(/\s+/).filter((word) => word !== ''));
          }}
        />
      </label>
      <datalist id={list}>
        {known.map(([name, text]) => (
          <option key={name} value={`${name}=`}>
            {text}
          </option>
        ))}
      </datalist>
    </>
  );
}
