import type { Engine } from '../engine/engine.js';
import { stopRun } from '../state/actions.js';
import { busy } from '../state/store.js';

/** Ends what the engine is doing. */
export function StopButton({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  return (
    <button
      type="button"
      disabled={!busy.value}
      onClick={() => {
        stopRun(engine);
      }}
    >
      Stop
    </button>
  );
}
