import { describe, expect, test } from 'vitest';
import { parseProgram } from '@hmm/workload';
import { CLIENTS, LITMUS_DEVICES } from '../src/drivers.js';
import { exploreLitmus } from '../src/engine/litmus-run.js';
import { runPane } from '../src/engine/run-pane.js';
import { LESSONS } from '../src/lessons/lessons.js';

describe('lessons', () => {
  const answers = [1, 1, 0, 1, 2, 1, 1, 1, 1, 1];

  test('there are at least eight, each with distinct options', () => {
    expect(LESSONS.length).toBeGreaterThanOrEqual(8);
    for (const { options } of LESSONS) expect(new Set(options).size).toBe(options.length);
  });

  test.each(LESSONS.map((lesson, at) => [lesson.title, lesson, answers[at]] as const))(
    '%s: its run decides the question',
    (_, { run }, expected) => {
      if (run.kind === 'litmus') {
        const view = exploreLitmus(run.test, 10_000, LITMUS_DEVICES);
        if (!view.ok) throw new Error(JSON.stringify(view.problems));
        expect(run.answer(view)).toBe(expected);
        return;
      }
      const parsed = parseProgram(run.program, 'lesson');
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
      const runs = run.clients.map((client) => {
        const pane = runPane(parsed.program, { client, gpu: '', settings: run.settings ?? [] }, CLIENTS);
        if (!pane.ok) throw new Error(`${pane.title}: ${pane.message}`);
        return pane.run;
      });
      expect(run.answer(runs)).toBe(expected);
    },
  );
});
