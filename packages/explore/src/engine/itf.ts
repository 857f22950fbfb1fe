import type { Model } from './model.js';
import { tell } from './story.js';

/** A value of the Informal Trace Format, of the kinds that are used here. */
type ItfValue = string | readonly string[] | { readonly '#map': readonly (readonly [string, string])[] };

/** One state of an {@link ItfTrace}: the value of each variable. */
export interface ItfState {
  readonly '#meta': { readonly index: number };
  readonly [variable: string]: ItfValue | { readonly index: number };
}

/** An execution in the Informal Trace Format, which viewers of the TLA+ family read. */
export interface ItfTrace {
  readonly '#meta': {
    readonly format: 'ITF';
    readonly 'format-description': string;
    readonly source: string;
    readonly description: string;
  };
  readonly vars: readonly string[];
  readonly states: readonly ItfState[];
}

/**
 * Runs the schedule `replay` and writes down every state that it goes through: who made the last step (`agent`, empty at the
 * beginning), by which kernel functions (`functions`), and what the page tables of processes and devices are now (`entries`).
 */
export function itfTrace(model: Model, source: string, replay: string, maxSteps: number): ItfTrace {
  const views: ReadonlyMap<string, string>[] = [];
  const story = tell(model, replay, maxSteps, (view) => views.push(view));
  const states = views.map((view, index): ItfState => {
    const { agent = '', functions = [] } = story.steps[index - 1] ?? {};
    return { '#meta': { index }, agent, functions, entries: { '#map': [...view] } };
  });
  const { violation, outcome } = story;
  const end = violation === undefined ? `outcome: ${outcome ?? 'none'}` : `breaks ${violation.invariant}`;
  return {
    '#meta': {
      format: 'ITF',
      'format-description': 'https://apalache-mc.org/docs/adr/015adr-trace.html',
      source,
      description: `${end}; schedule ${story.replay}`,
    },
    vars: ['agent', 'functions', 'entries'],
    states,
  };
}
