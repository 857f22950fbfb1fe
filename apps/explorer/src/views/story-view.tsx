import type { Story, StoryStep } from '@hmm/explore';
import { useEffect, useState } from 'preact/hooks';
import { replay } from '../state/store.js';

/** One execution: a column an agent, a row a step; a row can be chosen to see what it changed. */
export function StoryView({ story }: { readonly story: Story }): preact.JSX.Element {
  const [chosen, setChosen] = useState(0);
  const { violation, steps } = story;
  useEffect(() => {
    setChosen(0);
  }, [story.replay]);
  return (
    <section class="card story" aria-label="Execution">
      <h2>{headingOf(story)}</h2>
      {violation === undefined ? (
        <p class="code">{story.outcome ?? ''}</p>
      ) : (
        <p class="problem">
          ✗ {violation.invariant}: {violation.detail}
        </p>
      )}
      <ReplayLine story={story} />
      <StepTable story={story} chosen={chosen} onChoose={setChosen} />
      <Chosen step={steps[chosen]} at={chosen} />
    </section>
  );
}

function headingOf({ violation }: Story): string {
  if (violation === undefined) return 'One execution';
  return replay.value === '' ? 'The shortest counterexample found' : 'This execution breaks it';
}

/** The replay string, and the way back from an execution that was asked for. */
function ReplayLine({ story }: { readonly story: Story }): preact.JSX.Element {
  return (
    <p class="replay">
      Replay string{' '}
      <button
        type="button"
        class="chip code"
        title="Puts this execution into the page’s address"
        onClick={() => {
          replay.value = story.replay;
        }}
      >
        {story.replay}
      </button>{' '}
      {replay.value === '' ? (
        <span class="soft">
          In a step, “▷” lets that agent run there instead: another execution, of which the rest follows by
          itself.
        </span>
      ) : (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            replay.value = '';
          }}
        >
          Back to what exploring found
        </button>
      )}
    </p>
  );
}

/** The steps as rows; the arrow keys move the choice. */
function StepTable(props: {
  readonly story: Story;
  readonly chosen: number;
  readonly onChoose: (at: number) => void;
}): preact.JSX.Element {
  const { story, chosen, onChoose } = props;
  const { violation, agents, steps } = story;
  return (
    <table
      onKeyDown={(event) => {
        const move = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
        if (move === 0) return;
        event.preventDefault();
        const to = Math.min(Math.max(chosen + move, 0), steps.length - 1);
        onChoose(to);
        event.currentTarget.querySelectorAll<HTMLButtonElement>('tbody td:first-child button')[to]?.focus();
      }}
    >
      <thead>
        <tr>
          <th scope="col">Step</th>
          {agents.map((agent) => (
            <th key={agent} scope="col">
              {agent}
            </th>
          ))}
          <th scope="col">Changed</th>
        </tr>
      </thead>
      <tbody>
        {steps.map((step, at) => (
          <StepRow
            key={at}
            step={step}
            at={at}
            agents={agents}
            chosen={at === chosen}
            onChoose={() => {
              onChoose(at);
            }}
          />
        ))}
        {violation !== undefined && (
          <tr class="broken">
            <td>✗</td>
            <td colSpan={agents.length + 1} class="problem">
              {violation.invariant} is broken here: {violation.detail}
            </td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function StepRow(props: {
  readonly step: StoryStep;
  readonly at: number;
  readonly agents: readonly string[];
  readonly chosen: boolean;
  readonly onChoose: () => void;
}): preact.JSX.Element {
  const { step, at, agents, chosen, onChoose } = props;
  return (
    <tr class={chosen ? 'chosen' : ''} aria-current={chosen ? 'step' : undefined} onClick={onChoose}>
      <td>
        <button type="button" class="quiet" aria-label={`Step ${at + 1}, ${step.agent}`}>
          {at + 1}
        </button>
      </td>
      {agents.map((agent) => (
        <td key={agent} class="code">
          {agent === step.agent ? (
            step.functions.join(' → ') || <span class="soft">goes on</span>
          ) : (
            <Instead step={step} agent={agent} at={at} />
          )}
        </td>
      ))}
      <td class={step.changes.length > 0 ? 'code changed' : 'code'}>{step.changes.join('; ')}</td>
    </tr>
  );
}

/** The transition that an agent could have made at a step of another one. */
function Instead(props: {
  readonly step: StoryStep;
  readonly agent: string;
  readonly at: number;
}): preact.JSX.Element | null {
  const { step, agent, at } = props;
  const way = step.instead.find((other) => other.agent === agent);
  if (way === undefined) return null;
  return (
    <button
      type="button"
      class="quiet instead"
      aria-label={`Let ${agent} run instead, at step ${at + 1}`}
      title={`Let ${agent} run here instead: ${way.replay}`}
      onClick={(event) => {
        event.stopPropagation();
        replay.value = way.replay;
      }}
    >
      ▷
    </button>
  );
}

function Chosen({
  step,
  at,
}: {
  readonly step: StoryStep | undefined;
  readonly at: number;
}): preact.JSX.Element | null {
  if (step === undefined) return null;
  return (
    <div class="narration" aria-live="polite">
      <b>
        Step {at + 1}: {step.agent}
      </b>
      <ul>
        {step.functions.map((name, i) => (
          <li key={`${i} ${name}`} class="code">
            {name}
          </li>
        ))}
      </ul>
      <p>{step.changes.length === 0 ? 'Changes nothing that others see.' : step.changes.join('; ')}</p>
    </div>
  );
}
