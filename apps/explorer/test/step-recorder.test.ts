import { describe, expect, test } from 'vitest';
import { parseProgram } from '@hmm/workload';
import { CLIENTS } from '../src/drivers.js';
import { runPane } from '../src/engine/run-pane.js';
import { recordSteps } from '../src/engine/step-recorder.js';
import type { StepTrack } from '../src/engine/step-view.js';
import { FIRST_EXAMPLE } from '../src/examples/programs.js';
import { continueFrom, narrationAt, stateAt } from '../src/views/breakpoints.js';

const SPEC = { gpu: '', settings: [] };

function trackOf(client: string): StepTrack {
  const parsed = parseProgram(FIRST_EXAMPLE, 'first-example');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const track = recordSteps(parsed.program, { client, ...SPEC }, CLIENTS);
  if (!track.ok) throw new Error(track.message);
  return track;
}

describe.each(['nouveau', 'nvidia'])('the first example under %s, step by step', (client) => {
  const track = trackOf(client);

  test('goes through the five steps in order, and no invariant breaks', () => {
    const begun = track.steps.filter(({ narration }) => narration !== '').map(({ five }) => five);
    // A driver that serves a page at a time does the middle steps again for each.
    expect(begun.join('')).toMatch(/^1(?:234)+5/);
    expect(track.steps.every(({ broken }) => broken === '')).toBe(true);
  });

  test('gives what an ordinary run gives, at the same time', () => {
    const parsed = parseProgram(FIRST_EXAMPLE, 'first-example');
    if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
    const run = runPane(parsed.program, { client, ...SPEC }, CLIENTS);
    if (!run.ok) throw new Error(run.message);
    expect(track.values).toEqual(run.run.values);
    expect(track.values['gpu_saw']?.every((value) => value === 5)).toBe(true);
    expect(track.steps.at(-1)?.time).toBeLessThanOrEqual(run.run.duration);
  });

  test('the GPU has no entry before the third step and one after it', () => {
    const third = track.steps.findIndex(({ five }) => five === 3);
    const fifth = track.steps.findIndex(({ five }) => five === 5);
    expect(stateAt(track, third - 1).get('GPU a[0]')).toBeUndefined();
    const place = client === 'nouveau' ? 'host memory' : 'device memory';
    expect(stateAt(track, fifth).get('GPU a[0]')).toContain(place);
  });

  test('continue stops at a function, an event, a change of a page', () => {
    const at = continueFrom(track, 0, [{ kind: 'event', text: 'replay' }]);
    expect(track.steps[at]?.events.join()).toMatch(/replay/i);
    const changed = continueFrom(track, 0, [{ kind: 'page', text: 'a[0]' }]);
    expect(track.steps[changed]?.changes.map(([key]) => key).join()).toContain('a[0]');
    expect(continueFrom(track, 0, [{ kind: 'invariant', text: '' }])).toBe(track.steps.length - 1);
    expect(narrationAt(track, at).five).toBe(4);
  });
});
