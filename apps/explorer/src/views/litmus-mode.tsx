import { lazy, Suspense } from 'preact/compat';
import { useEffect, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { LitmusStory, LitmusView } from '../engine/litmus-view.js';
import type { ProblemView } from '../engine/protocol.js';
import { LITMUS_GROUPS } from '../examples/litmus.js';
import { guarded } from '../state/actions.js';
import { busy, failure, litmusTest, replay, restored } from '../state/store.js';
import { StopButton } from './stop-button.js';
import { StoryView } from './story-view.js';

const ProgramEditor = lazy(async () => ({
  default: (await import('../editor/program-editor.js')).ProgramEditor,
}));

/** Real time that one exploration may take, ms. */
const BUDGET_MS = 10_000;

/** A litmus test: its verdict over every interleaving, its outcomes, and one execution told step by step. */
export function LitmusMode({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const [view, setView] = useState<LitmusView>();
  const [told, setTold] = useState<LitmusStory>();
  const explore = (): Promise<void> =>
    guarded(async () => {
      setTold(undefined);
      const test = litmusTest.value;
      setView(await engine.call({ kind: 'litmus', test, budgetMs: BUDGET_MS }));
    });
  useEffect(() => {
    void explore();
  }, [restored.value]);
  useEffect(() => {
    if (replay.value === '') {
      setTold(undefined);
      return;
    }
    void guarded(async () => {
      setTold(await engine.call({ kind: 'story', test: litmusTest.value, replay: replay.value }));
    });
  }, [replay.value, view]);
  const problems = problemsOf(view, told);
  const story = told?.ok === true ? told.story : view?.ok === true ? view.story : undefined;
  return (
    <div class="litmus columns">
      <TestSection engine={engine} problems={problems} explore={explore} />
      <div>
        {view?.ok === true && <Verdict view={view} />}
        {story !== undefined && <StoryView story={story} />}
        {view?.ok === true && <Outcomes view={view} />}
      </div>
    </div>
  );
}

/** The test's text, what is wrong with it, and the button that explores it. */
function TestSection(props: {
  readonly engine: Engine;
  readonly problems: readonly ProblemView[];
  readonly explore: () => Promise<void>;
}): preact.JSX.Element {
  const { engine, problems, explore } = props;
  const exploreAnew = (): void => {
    replay.value = '';
    void explore();
  };
  return (
    <section class="program" aria-label="Litmus test">
      <TestMenu explore={explore} />
      <Suspense fallback={<pre class="editor">{litmusTest.value}</pre>}>
        <ProgramEditor
          label="Litmus test"
          text={litmusTest.value}
          problems={problems}
          onChange={(text) => {
            litmusTest.value = text;
          }}
          onRun={exploreAnew}
        />
      </Suspense>
      <div class="run-row">
        <button type="button" class="primary" disabled={busy.value} onClick={exploreAnew}>
          {busy.value ? 'Exploring …' : 'Explore every interleaving'}
        </button>
        <StopButton engine={engine} />
      </div>
      <p role="alert" class="problem">
        {failure.value}
        {problems.map((p) => `Line ${p.line}, column ${p.column}: ${p.message}`).join('\n')}
      </p>
    </section>
  );
}

function problemsOf(view: LitmusView | undefined, told: LitmusStory | undefined): readonly ProblemView[] {
  if (view?.ok === false) return view.problems;
  return told?.ok === false ? told.problems : [];
}

const EXAMPLES = LITMUS_GROUPS.flatMap(({ examples }) => examples);

function TestMenu({ explore }: { readonly explore: () => Promise<void> }): preact.JSX.Element {
  return (
    <label class="example">
      Test{' '}
      <select
        value={EXAMPLES.findIndex(({ text }) => text === litmusTest.value)}
        onChange={(event) => {
          const example = EXAMPLES[Number(event.currentTarget.value)];
          if (example === undefined) return;
          litmusTest.value = example.text;
          replay.value = '';
          void explore();
        }}
      >
        <option value={-1} disabled>
          your own
        </option>
        {LITMUS_GROUPS.map((group) => (
          <optgroup key={group.title} label={group.title}>
            {group.examples.map((example) => (
              <option key={example.title} value={EXAMPLES.indexOf(example)}>
                {example.title}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

type Explored = Extract<LitmusView, { ok: true }>;

const VERDICTS: Readonly<Record<Explored['verdict'], readonly [sign: string, text: string]>> = {
  ok: ['✓', 'Holds in every interleaving'],
  violated: ['✗', 'Violated'],
  incomplete: ['…', 'Held as far as the time allowed'],
};

function Verdict({ view }: { readonly view: Explored }): preact.JSX.Element {
  const [sign, text] = VERDICTS[view.verdict];
  return (
    <section class={`card verdict ${view.verdict}`} aria-label="Verdict" aria-live="polite">
      <h2>
        {sign} {text}
      </h2>
      <p>{view.doc}</p>
      <p class="soft">
        {view.name}: {view.schedules} {view.schedules === 1 ? 'execution stands' : 'executions stand'} for
        all, {view.steps} steps, {view.outcomes.length} {view.outcomes.length === 1 ? 'outcome' : 'outcomes'},{' '}
        {view.seconds.toFixed(2)} s.
      </p>
    </section>
  );
}

function Outcomes({ view }: { readonly view: Explored }): preact.JSX.Element {
  return (
    <section class="card" aria-label="Outcomes">
      <h2>Outcomes</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Final state</th>
            <th scope="col">Executions</th>
            <th scope="col">One of them</th>
          </tr>
        </thead>
        <tbody>
          {view.outcomes.map((outcome) => (
            <tr key={outcome.text}>
              <td class="code">{outcome.text === '' ? '(nothing observed)' : outcome.text}</td>
              <td>{outcome.count}</td>
              <td>
                <button
                  type="button"
                  aria-pressed={replay.value === outcome.replay}
                  onClick={() => {
                    replay.value = outcome.replay;
                  }}
                >
                  Show {outcome.replay}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
