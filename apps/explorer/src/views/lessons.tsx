import type { Engine } from '../engine/engine.js';

/** Placeholder. */
export function Lessons(_: { readonly engine: Engine }): preact.JSX.Element {
  return <p />;
}
