import type { Engine } from '../engine/engine.js';
import type { PaneSpec } from '../engine/protocol.js';
import { defaultPanes } from './page-state.js';
import {
  busy,
  clients,
  cursor,
  differences,
  duration,
  failure,
  panes,
  problems,
  program,
  results,
  selection,
  zoom,
} from './store.js';

/** Asks the engine which drivers there are, and fills the panes with the first two where the URL named none. */
export async function loadClients(engine: Engine): Promise<void> {
  if (clients.value.length === 0) clients.value = await engine.call({ kind: 'clients' });
  if (panes.value.length === 0) panes.value = defaultPanes();
}

/** Ends the run under way, however long it would go on. What was shown of runs before goes too: the worker had it. */
export function stopRun(engine: Engine): void {
  results.value = [];
  differences.value = [];
  selection.value = undefined;
  engine.stop();
}

/** What the latest results are of. */
let ran: { readonly program: string; readonly panes: readonly PaneSpec[] } | undefined;

/** Has what is shown, a recorded trace, stay until the program is run or the panes are changed. */
export async function keepShown(engine: Engine): Promise<void> {
  await loadClients(engine);
  ran = { program: program.value, panes: panes.value };
}

/** Runs the program unless what is shown is of it already. */
export async function runIfChanged(engine: Engine): Promise<void> {
  if (ran?.program !== program.value || ran.panes !== panes.value) await runProgram(engine);
}

/** Runs the editor's program on all panes. Cursor, zoom and selection stay where they still mean something. */
export async function runProgram(engine: Engine): Promise<void> {
  ran = { program: program.value, panes: panes.value };
  await guarded(async () => {
    const answer = await engine.call({ kind: 'run', program: program.value, panes: panes.value, keep: true });
    if (!answer.ok) {
      problems.value = answer.problems;
      results.value = [];
      return;
    }
    problems.value = answer.panes.flatMap((pane) =>
      pane.ok || pane.line === undefined
        ? []
        : [{ line: pane.line, column: pane.column ?? 1, message: `${pane.title}: ${pane.message}` }],
    );
    differences.value = answer.differences;
    results.value = answer.panes;
    if (zoom.value !== undefined && zoom.value.to > duration.value) zoom.value = undefined;
    cursor.value = Math.min(cursor.value, duration.value);
    const chosen = selection.value;
    const pane = chosen === undefined ? undefined : answer.panes[chosen.pane];
    if (chosen !== undefined && (pane?.ok !== true || chosen.event >= pane.run.events.length)) {
      selection.value = undefined;
    }
  });
}

/** Does `work`, showing that it is under way and what fails. */
export async function guarded(work: () => Promise<void>): Promise<void> {
  busy.value = true;
  failure.value = '';
  try {
    await work();
  } catch (error) {
    failure.value = error instanceof Error ? error.message : String(error);
  } finally {
    busy.value = false;
  }
}
