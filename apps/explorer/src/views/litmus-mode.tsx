import type { Engine } from '../engine/engine.js';

/** Placeholder. */
export function LitmusMode(_: { readonly engine: Engine }): preact.JSX.Element {
  return <p />;
}
