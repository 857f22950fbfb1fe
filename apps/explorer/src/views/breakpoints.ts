import type { StepRecord, StepTrack } from '../engine/step-view.js';

/** What a run can be continued to. */
export type BreakpointKind = 'function' | 'event' | 'page' | 'invariant' | 'five';

/** Where to stop: at a function or event whose name contains `text`, at a change of page `text`, at a broken invariant. */
export interface Breakpoint {
  readonly kind: BreakpointKind;
  readonly text: string;
}

/** Whether a step is one to stop at. */
export function stopsAt(step: StepRecord, { kind, text }: Breakpoint): boolean {
  const wanted = text.trim().toLowerCase();
  switch (kind) {
    case 'function':
      return step.functions.some((name) => name.includes(wanted));
    case 'event':
      return step.events.some((event) => event.toLowerCase().includes(wanted));
    case 'page':
      return step.changes.some(([key]) => key.toLowerCase().endsWith(` ${wanted}`));
    case 'invariant':
      return step.broken !== '';
    case 'five':
      return step.narration !== '';
  }
}

/** The next step after `at` at which any of `points` stops; the last step without one. */
export function continueFrom(track: StepTrack, at: number, points: readonly Breakpoint[]): number {
  for (let i = at + 1; i < track.steps.length; i++) {
    const step = track.steps[i];
    if (step !== undefined && points.some((point) => stopsAt(step, point))) return i;
  }
  return track.steps.length - 1;
}

/** The state after step `at`, by name. */
export function stateAt(track: StepTrack, at: number): ReadonlyMap<string, string> {
  const state = new Map<string, string>();
  for (let i = 0; i <= at; i++) {
    for (const [key, text] of track.steps[i]?.changes ?? []) {
      if (text === '') state.delete(key);
      else state.set(key, text);
    }
  }
  return state;
}

/** The sentence that was begun last at step `at`, and which of the five steps it belongs to; 0 between GPU accesses. */
export function narrationAt(track: StepTrack, at: number): { readonly five: number; readonly text: string } {
  const five = track.steps[at]?.five ?? 0;
  for (let i = at; i >= 0 && five !== 0; i--) {
    const step = track.steps[i];
    if (step !== undefined && step.narration !== '') return { five: step.five, text: step.narration };
  }
  return { five: 0, text: '' };
}
