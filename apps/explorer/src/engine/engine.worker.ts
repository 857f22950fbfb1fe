import type { ClientFactory } from '@hmm/device';
import { gpusFor } from '@hmm/machine';
import { findDifferences } from '@hmm/report';
import { parseProgram } from '@hmm/workload';
import { residencyRaster } from '../tiles/residency-raster.js';
import { CLIENTS, LITMUS_DEVICES } from '../drivers.js';
import { besideExplicit } from './explicit-run.js';
import type { ExplicitView } from './explicit-view.js';
import { exploreLitmus, tellLitmus } from './litmus-run.js';
import type { PaneResult } from './run-view.js';
import type {
  ClientView,
  EngineAnswers,
  EngineCall,
  EngineReply,
  EngineRequest,
  PaneSpec,
  RunAnswer,
} from './protocol.js';
import { type PaneRun, runPane } from './run-pane.js';
import type { PaneRefusal } from './run-view.js';
import { recordSteps } from './step-recorder.js';
import type { StepRun } from './step-view.js';
import { type OpenedTrace, openTrace } from './trace-view.js';
import { whyChain } from './why.js';

/** The panes of the latest run: rasters and chains are made from them. */
let latest: readonly (PaneRun | OpenedTrace | PaneRefusal)[] = [];

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

function explicitOf(text: string, panes: readonly PaneSpec[]): ExplicitView {
  const parsed = parseProgram(text, 'program');
  if (!parsed.ok) return { says: [], why: parsed.errors[0]?.message ?? '' };
  const reports = latest.flatMap((pane) => (pane.ok && 'report' in pane ? [pane.report] : []));
  return besideExplicit(parsed.program, panes, reports, CLIENTS);
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

async function open(name: string, file: Blob): Promise<PaneResult> {
  const opened = await openTrace(name, file);
  latest = [opened];
  return opened.ok ? { ok: true, run: opened.run } : opened;
}

function viewOfClient(factory: ClientFactory): ClientView {
  const { name, title, settings } = factory;
  return { name, title, gpus: gpusFor(factory), settings };
}

type Answer = EngineAnswers[keyof EngineAnswers];

function answer(call: EngineCall): Answer | Promise<Answer> {
  switch (call.kind) {
    case 'clients':
      return CLIENTS.map(viewOfClient);
    case 'run':
      return runAll(call.program, call.panes, call.keep);
    case 'explicit':
      return explicitOf(call.program, call.panes);
    case 'raster': {
      const pane = paneAt(call.pane);
      const changes = 'residency' in pane ? pane.residency : pane.run.residency;
      return residencyRaster(changes, pane.run.rows, call.view);
    }
    case 'why': {
      const pane = paneAt(call.pane);
      return 'pane' in pane ? whyChain(pane, call.event) : [];
    }
    case 'open':
      return open(call.name, call.file);
    case 'steps':
      return stepsOf(call.program, call.pane);
    case 'litmus':
      return exploreLitmus(call.test, call.budgetMs, LITMUS_DEVICES);
    case 'story':
      return tellLitmus(call.test, call.replay, LITMUS_DEVICES);
  }
}

/** The buffers that go to the page for good: those of a recorded trace, which are large and of no more use here. */
function transfers(call: EngineCall, answered: Answer): ArrayBufferLike[] {
  if (call.kind === 'raster' && answered instanceof Uint8Array) return [answered.buffer];
  const [pane] = latest;
  if (call.kind !== 'open' || pane?.ok !== true) return [];
  const { events, laneIndex } = pane.run;
  const columns = [events.time, events.end, events.agent, events.kind, events.lane, events.row, events.pages];
  return [...columns, ...laneIndex.map(({ event }) => event)].map(({ buffer }) => buffer);
}

async function serve({ id, call }: EngineRequest): Promise<void> {
  try {
    const answered = await answer(call);
    const reply: EngineReply = { id, ok: true, answer: answered };
    self.postMessage(reply, { transfer: transfers(call, answered) });
  } catch (error) {
    const reply: EngineReply = {
      id,
      ok: false,
      message: error instanceof Error ? error.message : String(error),
    };
    self.postMessage(reply);
  }
}

self.addEventListener('message', (event: MessageEvent<EngineRequest>) => {
  void serve(event.data);
});
