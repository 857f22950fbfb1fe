import type { Story, StoryStep } from '@hmm/explore';
import { useEffect, useState } from 'preact/hooks';
import { replay } from '../state/store.js';

/** One execution: a column an agent, a row a step; a row can be chosen to see what it changed. */
export function StoryView({ story }: { readonly story: Story }): preact.JSX.Element {
  const [chosen, setChosen] = useState(0);
  useEffect(() => {
    setChosen(0);
  }, [story]);
  const { violation, agents, steps } = story;
  return (
    <section class="card story" aria-label="Execution">
      <h2>
        {violation === undefined
          ? 'One execution'
          : replay.value === ''
            ? 'The shortest counterexample found'
            : 'This execution breaks it'}
      </h2>
      {violation === undefined ? (
        <p class="code">{story.outcome ?? ''}</p>
      ) : (
        <p class="problem">
          ✗ {violation.invariant}: {violation.detail}
        </p>
      )}
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
        </button>
      </p>
      <table
        onKeyDown={(event) => {
          const move = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
          if (move === 0) return;
          event.preventDefault();
          const to = Math.min(Math.max(chosen + move, 0), steps.length - 1);
          setChosen(to);
          event.currentTarget.querySelectorAll<HTMLButtonElement>('tbody button')[to]?.focus();
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
            <tr
              key={at}
              class={at === chosen ? 'chosen' : ''}
              aria-current={at === chosen ? 'step' : undefined}
            >
              <td>
                <button
                  type="button"
                  class="quiet"
                  aria-label={`Step ${at + 1}, ${step.agent}`}
                  onClick={() => {
                    setChosen(at);
                  }}
                >
                  {at + 1}
                </button>
              </td>
              {agents.map((agent) => (
                <td key={agent} class="code">
                  {agent === step.agent ? step.functions.join(' → ') || 'goes on' : ''}
                </td>
              ))}
              <td class={step.changes.length > 0 ? 'code changed' : 'code'}>{step.changes.join('; ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Chosen step={steps[chosen]} at={chosen} />
    </section>
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
