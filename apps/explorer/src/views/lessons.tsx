import { useEffect, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { LESSONS } from '../lessons/lessons.js';
import type { Lesson } from '../lessons/lesson.js';
import { guarded } from '../state/actions.js';
import { busy, failure, finished, lesson, litmusTest, mode, panes, program, replay } from '../state/store.js';
import type { RunView } from '../engine/run-view.js';
import { SmallMap } from './small-map.js';
import { MapLegend } from './summaries.js';

/** Questions in order; the run decides each answer. */
export function Lessons({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const done = new Set(finished.value.filter((i) => i < LESSONS.length));
  const at = Math.min(lesson.value, LESSONS.length - 1);
  const current = LESSONS[at];
  return (
    <div class="lessons">
      <nav class="card" aria-label="Lessons">
        <ol>
          {LESSONS.map(({ title }, i) => (
            <li key={title}>
              <button
                type="button"
                class="quiet"
                aria-current={i === at ? 'page' : undefined}
                onClick={() => {
                  lesson.value = i;
                }}
              >
                {i + 1}. {title} {done.has(i) ? <b class="good">✓ done</b> : null}
              </button>
            </li>
          ))}
        </ol>
        <p class="soft">
          <progress value={done.size} max={LESSONS.length} aria-label="Lessons done" /> {done.size} of{' '}
          {LESSONS.length} done
        </p>
      </nav>
      {current !== undefined && (
        <LessonCard
          key={at}
          lesson={current}
          at={at}
          engine={engine}
          onDone={() => {
            finished.value = [...new Set([...done, at])].sort((a, b) => a - b);
          }}
        />
      )}
    </div>
  );
}

interface Judged {
  readonly chosen: number;
  readonly right: number;
  /** What was run, where it has maps to show. */
  readonly runs: readonly RunView[];
}

function LessonCard(props: {
  readonly lesson: Lesson;
  readonly at: number;
  readonly engine: Engine;
  readonly onDone: () => void;
}): preact.JSX.Element {
  const { lesson: current, at, engine, onDone } = props;
  const [chosen, setChosen] = useState(-1);
  const [judged, setJudged] = useState<Judged>();
  useEffect(() => {
    setJudged(undefined);
  }, [chosen]);
  const check = (): Promise<void> =>
    guarded(async () => {
      const seen = await runLesson(current, engine);
      setJudged({ chosen, ...seen });
      if (seen.right === chosen) onDone();
    });
  return (
    <article class="card lesson" aria-label={`Lesson ${at + 1}: ${current.title}`}>
      <h2>
        {at + 1}. {current.title}
      </h2>
      <QuestionForm lesson={current} chosen={chosen} onChoose={setChosen} onCheck={() => void check()} />
      <p role="alert" class="problem">
        {failure.value}
      </p>
      <div role="status">{judged !== undefined && <Judgement judged={judged} lesson={current} />}</div>
      {judged !== undefined && <Onward lesson={current} at={at} />}
    </article>
  );
}

/** The question with its options, and what will be run to decide it. */
function QuestionForm(props: {
  readonly lesson: Lesson;
  readonly chosen: number;
  readonly onChoose: (option: number) => void;
  readonly onCheck: () => void;
}): preact.JSX.Element {
  const { lesson: current, chosen, onChoose, onCheck } = props;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (chosen >= 0) onCheck();
      }}
    >
      <fieldset>
        <legend>{current.question}</legend>
        {current.options.map((option, i) => (
          <label key={option}>
            <input
              type="radio"
              name="answer"
              checked={chosen === i}
              onChange={() => {
                onChoose(i);
              }}
            />{' '}
            {option}
          </label>
        ))}
      </fieldset>
      <p class="soft what">What is run{underWhat(current)}:</p>
      <pre class="code">{current.run.kind === 'program' ? current.run.program : current.run.test}</pre>
      <button type="submit" class="primary" disabled={chosen < 0 || busy.value}>
        {busy.value ? 'Running …' : 'Run it and check'}
      </button>
    </form>
  );
}

/** Where to go from a lesson that has been judged. */
function Onward({
  lesson: current,
  at,
}: {
  readonly lesson: Lesson;
  readonly at: number;
}): preact.JSX.Element {
  return (
    <p class="onward">
      <button
        type="button"
        onClick={() => {
          openRun(current);
        }}
      >
        Look at the run
      </button>
      {at + 1 < LESSONS.length && (
        <button
          type="button"
          onClick={() => {
            lesson.value = at + 1;
          }}
        >
          Next lesson
        </button>
      )}
    </p>
  );
}

function underWhat({ run }: Lesson): string {
  return run.kind === 'program' ? `, under ${run.clients.join(' and ')}` : ', in every interleaving';
}

function Judgement({
  judged,
  lesson: current,
}: {
  readonly judged: Judged;
  readonly lesson: Lesson;
}): preact.JSX.Element {
  if (judged.right < 0) return <p class="problem">The run did not come to an answer.</p>;
  return (
    <>
      <p class={judged.right === judged.chosen ? 'good' : 'problem'}>
        {judged.right === judged.chosen
          ? '✓ Right: so it went.'
          : `✗ The run says otherwise: ${current.options[judged.right] ?? ''}.`}
      </p>
      <p>{current.explanation}</p>
      {judged.runs.map((run) => (
        <SmallMap
          key={run.client}
          run={run}
          duration={Math.max(...judged.runs.map(({ duration }) => duration))}
        />
      ))}
      {judged.runs.length > 0 && <MapLegend />}
    </>
  );
}

/** Runs what the lesson runs, and reads the right option off it; -1 where it could not be run. */
async function runLesson({ run }: Lesson, engine: Engine): Promise<Omit<Judged, 'chosen'>> {
  if (run.kind === 'litmus') {
    const view = await engine.call({ kind: 'litmus', test: run.test, budgetMs: 10_000 });
    return { right: view.ok ? run.answer(view) : -1, runs: [] };
  }
  const specs = run.clients.map((client) => ({ client, gpu: '', settings: run.settings ?? [] }));
  const answer = await engine.call({ kind: 'run', program: run.program, panes: specs, keep: false });
  const runs = answer.ok ? answer.panes.flatMap((pane) => (pane.ok ? [pane.run] : [])) : [];
  return { right: runs.length === specs.length ? run.answer(runs) : -1, runs };
}

/** Opens the lesson's run in the part of the page that shows it. */
function openRun({ run }: Lesson): void {
  if (run.kind === 'litmus') {
    litmusTest.value = run.test;
    replay.value = '';
    mode.value = 'litmus';
    return;
  }
  program.value = run.program;
  panes.value = run.clients.map((client) => ({ client, gpu: '', settings: run.settings ?? [] }));
  mode.value = 'compare';
}
