import type { Engine } from '../engine/engine.js';
import { guarded, runProgram } from './actions.js';
import { differences, litmusTest, mode, program, replay, results } from './store.js';

const MAX_TEXT_BYTES = 1 << 20;

/**
 * Opens a local file: a program or a litmus test goes into its editor, anything else is read as a recorded trace and
 * becomes a pane. Files stay in the browser and are data only.
 */
export async function openFile(engine: Engine, name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (/\.(?:hmm|litmus)$/.test(name) && bytes.length <= MAX_TEXT_BYTES) {
    const text = new TextDecoder().decode(bytes);
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
    const pane = await engine.call({ kind: 'open', name, bytes });
    differences.value = [];
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
    if (file === undefined) return;
    void file.arrayBuffer().then((buffer) => openFile(engine, file.name, new Uint8Array(buffer)));
  });
}

/** Opens the file that the local server was started with: `?open=NAME`. */
export async function openServed(engine: Engine): Promise<void> {
  const name = new URLSearchParams(location.search).get('open');
  if (name === null) return;
  const response = await fetch(`opened/${encodeURIComponent(name)}`);
  if (response.ok) await openFile(engine, name, new Uint8Array(await response.arrayBuffer()));
}
