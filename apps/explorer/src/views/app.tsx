import { lazy, Suspense } from 'preact/compat';
import { useEffect } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { EXAMPLES } from '../examples/programs.js';
import { loadClients, runIfChanged, runProgram } from '../state/actions.js';
import {
  busy,
  failure,
  mode,
  type Mode,
  panes,
  problems,
  program,
  restored,
  stepLines,
} from '../state/store.js';
import { dark, theme, type ThemeChoice } from '../state/theme.js';
import { ExportMenu } from './export-menu.js';
import { Help } from './help.js';
import { OpenButton } from './open-button.js';
import { PanePicker } from './pane-picker.js';
import { StopButton } from './stop-button.js';

const ProgramEditor = lazy(async () => ({
  default: (await import('../editor/program-editor.js')).ProgramEditor,
}));
const Compare = lazy(async () => ({ default: (await import('./compare.js')).Compare }));
const StepMode = lazy(async () => ({ default: (await import('./step-mode.js')).StepMode }));
const LitmusMode = lazy(async () => ({ default: (await import('./litmus-mode.js')).LitmusMode }));
const Lessons = lazy(async () => ({ default: (await import('./lessons.js')).Lessons }));

const NO_LINES: ReadonlyMap<number, string> = new Map();

const MODES: readonly { readonly mode: Mode; readonly label: string }[] = [
  { mode: 'compare', label: 'Side by side' },
  { mode: 'step', label: 'Step by step' },
  { mode: 'litmus', label: 'Litmus' },
  { mode: 'lessons', label: 'Lessons' },
];

/** The whole page. */
export function App({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  useEffect(() => {
    document.documentElement.dataset['theme'] = dark.value ? 'dark' : 'light';
  }, [dark.value]);
  useEffect(() => {
    void loadClients(engine);
  }, []);
  const withProgram = mode.value === 'compare' || mode.value === 'step';
  useEffect(() => {
    if (withProgram && panes.value.length > 0) void runIfChanged(engine);
  }, [panes.value, withProgram, restored.value]);
  return (
    <>
      <Header engine={engine} />
      <main class={withProgram ? 'columns' : 'single'}>
        {withProgram && <ProgramPanel engine={engine} />}
        <section class="view" aria-label={MODES.find((m) => m.mode === mode.value)?.label ?? ''}>
          <Suspense fallback={<p class="soft">Loading …</p>}>
            {mode.value === 'compare' && <Compare engine={engine} />}
            {mode.value === 'step' && <StepMode engine={engine} />}
            {mode.value === 'litmus' && <LitmusMode engine={engine} />}
            {mode.value === 'lessons' && <Lessons engine={engine} />}
          </Suspense>
        </section>
      </main>
    </>
  );
}

function Header({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  return (
    <header class="bar">
      <h1>
        HMM <span class="soft">explorer</span>
      </h1>
      <nav aria-label="Parts of the page">
        {MODES.map(({ mode: value, label }) => (
          <button
            key={value}
            type="button"
            class="tab"
            aria-pressed={mode.value === value}
            onClick={() => {
              mode.value = value;
            }}
          >
            {label}
          </button>
        ))}
      </nav>
      <div class="tools">
        <OpenButton engine={engine} />
        <ExportMenu />
        <Help />
      </div>
      <label class="theme">
        Theme{' '}
        <select
          value={theme.value}
          onChange={(event) => {
            theme.value = themeOf(event.currentTarget.value);
          }}
        >
          <option value="auto">system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
    </header>
  );
}

function themeOf(value: string): ThemeChoice {
  return value === 'light' || value === 'dark' ? value : 'auto';
}

function ProgramPanel({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  return (
    <section class="program" aria-label="Program">
      <label class="example">
        Example{' '}
        <select
          value={EXAMPLES.findIndex(({ text }) => text === program.value)}
          onChange={(event) => {
            const example = EXAMPLES[Number(event.currentTarget.value)];
            if (example === undefined) return;
            program.value = example.text;
            void runProgram(engine);
          }}
        >
          <option value={-1} disabled>
            your own
          </option>
          {EXAMPLES.map(({ title }, at) => (
            <option key={title} value={at}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Suspense fallback={<pre class="editor">{program.value}</pre>}>
        <ProgramEditor
          label="Program"
          text={program.value}
          problems={problems.value}
          lines={mode.value === 'step' ? stepLines.value : NO_LINES}
          onChange={(text) => {
            program.value = text;
          }}
          onRun={() => void runProgram(engine)}
        />
      </Suspense>
      <div class="run-row">
        <button type="button" class="primary" disabled={busy.value} onClick={() => void runProgram(engine)}>
          {busy.value ? 'Running …' : 'Run'} <kbd>Ctrl Enter</kbd>
        </button>
        <StopButton engine={engine} />
      </div>
      <p role="alert" class="problem">
        {failure.value}
        {problems.value.map((p) => `Line ${p.line}, column ${p.column}: ${p.message}`).join('\n')}
      </p>
      <PanePicker />
    </section>
  );
}
