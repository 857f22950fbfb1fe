import type { Engine } from '../engine/engine.js';
import { guarded, keepShown, runProgram } from './actions.js';
import { differences, litmusTest, mode, program, replay, results, selection, zoom } from './store.js';

const MAX_TEXT_BYTES = 1 << 20;

/**
 * Opens a local file: a program or a litmus test goes into its editor, anything else is read as a recorded trace and
 * becomes a pane. Files stay in the browser and are data only.
 */
export async function openFile(engine: Engine, name: string, file: Blob): Promise<void> {
  if (/\.(?:hmm|litmus)$/.test(name) && file.size <= MAX_TEXT_BYTES) {
    const text = await file.text();
    if (name.endsWith('.litmus')) {
      litmusTest.value = text;
      replay.value = '';
      mode.value = 'litmus';
    } else {
      program.value = text;
      mode.value = 'compare';
      await runProgram(engine);
    }
    return;
  }
  await guarded(async () => {
    await keepShown(engine);
    const pane = await engine.call({ kind: 'open', name, file });
    differences.value = [];
    selection.value = undefined;
    zoom.value = undefined;
    results.value = [pane];
    mode.value = 'compare';
  });
}

/** Lets files be dropped anywhere on the page. */
export function acceptDrops(engine: Engine): void {
  window.addEventListener('dragover', (event) => {
    event.preventDefault();
  });
  window.addEventListener('drop', (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) void openFile(engine, file.name, file);
  });
}

/** Opens the file that the local server was started with: `?open=NAME`. */
export async function openServed(engine: Engine): Promise<void> {
  const name = new URLSearchParams(location.search).get('open');
  if (name === null) return;
  await guarded(async () => {
    const response = await fetch(`opened/${encodeURIComponent(name)}`);
    if (!response.ok) throw new Error(`${name} cannot be had from the server that shows this page.`);
    await openFile(engine, name, await response.blob());
  });
}
