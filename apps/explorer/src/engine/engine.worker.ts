import { findDifferences } from '@hmm/report';
import { parseProgram } from '@hmm/workload';
import { residencyRaster } from '../tiles/residency-raster.js';
import { CLIENTS } from './clients.js';
import { eventText } from './event-text.js';
import { exploreLitmus, tellLitmus } from './litmus-run.js';
import type {
  EngineAnswers,
  EngineCall,
  EngineReply,
  EngineRequest,
  PaneSpec,
  RunAnswer,
} from './protocol.js';
import { type PaneRun, runPane } from './run-pane.js';
import type { PaneRefusal, RunView } from './run-view.js';
import { recordSteps } from './step-recorder.js';
import type { StepRun } from './step-view.js';
import { traceView } from './trace-view.js';
import { whyChain } from './why.js';

/** The panes of the latest run: rasters and chains are made from them. */
let latest: readonly (PaneRun | OpenedTrace | PaneRefusal)[] = [];

/** A recorded trace in a pane: there is no machine behind it. */
interface OpenedTrace {
  readonly ok: true;
  readonly run: RunView;
}

function runAll(text: string, panes: readonly PaneSpec[], keep: boolean): RunAnswer {
  const parsed = parseProgram(text, 'program');
  if (!parsed.ok) return { ok: false, problems: parsed.errors };
  const answers = panes.map((pane) => runPane(parsed.program, pane, CLIENTS));
  if (keep) latest = answers;
  const ran = answers.filter((pane) => pane.ok);
  const rules = new Map(CLIENTS.map(({ name, rules: own }) => [name, own]));
  const differences = findDifferences(
    ran.map(({ report }) => report),
    rules,
  );
  return {
    ok: true,
    panes: answers.map((pane) => (pane.ok ? { ok: true, run: pane.run } : pane)),
    differences,
  };
}

function stepsOf(text: string, pane: PaneSpec): StepRun {
  const parsed = parseProgram(text, 'program');
  if (parsed.ok) return recordSteps(parsed.program, pane, CLIENTS);
  const [error] = parsed.errors;
  return {
    ok: false,
    title: pane.client,
    message: error?.message ?? '',
    line: error?.line ?? 1,
    column: error?.column ?? 1,
  };
}

function paneAt(index: number): PaneRun | OpenedTrace {
  const pane = latest[index];
  if (pane?.ok !== true) throw new Error(`there is no run in pane ${index}`);
  return pane;
}

function answer(call: EngineCall): EngineAnswers[keyof EngineAnswers] {
  switch (call.kind) {
    case 'clients':
      return CLIENTS.map(({ name, title, gpus, settings }) => ({ name, title, gpus, settings }));
    case 'run':
      return runAll(call.program, call.panes, call.keep);
    case 'raster': {
      const { run } = paneAt(call.pane);
      return residencyRaster(run.residency, run.rows, call.view);
    }
    case 'why': {
      const pane = paneAt(call.pane);
      if ('pane' in pane) return whyChain(pane, call.event);
      return [{ title: 'recorded', text: eventText(pane.run, call.event), rule: '', event: call.event }];
    }
    case 'open': {
      const opened = traceView(call.name, call.bytes);
      latest = [opened];
      return opened;
    }
    case 'steps':
      return stepsOf(call.program, call.pane);
    case 'litmus':
      return exploreLitmus(call.test, call.budgetMs);
    case 'story':
      return tellLitmus(call.test, call.replay);
  }
}

self.addEventListener('message', (event: MessageEvent<EngineRequest>) => {
  const { id, call } = event.data;
  let reply: EngineReply;
  try {
    reply = { id, ok: true, answer: answer(call) };
  } catch (error) {
    reply = { id, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(reply);
});
