import { describe, expect, test } from 'vitest';
import { parseProgram } from '@hmm/workload';
import { CLIENTS } from '../src/drivers.js';
import { type PaneRun, runPane } from '../src/engine/run-pane.js';
import type { RunView } from '../src/engine/run-view.js';
import { EXAMPLES, FIRST_EXAMPLE } from '../src/examples/programs.js';

function runOf(text: string, client: string): PaneRun {
  const parsed = parseProgram(text, 'test');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const pane = runPane(parsed.program, { client, gpu: '', settings: [] }, CLIENTS);
  if (!pane.ok) throw new Error(pane.message);
  return pane;
}

/** The events of a lane as [begin, end] in ns. */
function barsOf(run: RunView, lane: string): [number, number][] {
  const { event } = run.laneIndex[run.lanes.indexOf(lane)] ?? { event: new Uint32Array(0) };
  return Array.from(event, (i) => [run.events.time[i] ?? 0, run.events.end[i] ?? 0]);
}

describe('programs of the menu', () => {
  test.each(EXAMPLES.filter(({ title }) => !title.startsWith('More data')))(
    '$title runs under both drivers, and what it asserts holds',
    ({ text }) => {
      for (const client of ['nouveau', 'nvidia']) {
        const { run } = runOf(text, client);
        expect(run.failures).toEqual([]);
        expect(run.events.length).toBeGreaterThan(0);
        const { time } = run.events;
        expect([...time].every((at, i) => at >= (time[i - 1] ?? 0))).toBe(true);
      }
    },
    20_000,
  );

  test('a retry is an arrow back over what is done again', () => {
    const example = EXAMPLES.find(({ title }) => title.startsWith('A retry'));
    const { run } = runOf(example?.text ?? '', 'nouveau');
    const retries = barsOf(run, 'retries');
    expect(retries).toHaveLength(1);
    const [[begin, end] = [0, 0]] = retries;
    expect(end).toBeGreaterThan(begin);
    const unmap = run.statements.find(({ text }) => text.startsWith('munmap'));
    expect(unmap?.to).toBeGreaterThan(begin);
    expect(unmap?.to).toBeLessThanOrEqual(end);
  });

  test('the fault worker is busy from a batch to its replay, under both drivers', () => {
    for (const client of ['nouveau', 'nvidia']) {
      const { run } = runOf(FIRST_EXAMPLE, client);
      const replays = barsOf(run, 'replay, cancel').map(([at]) => at);
      const busy = barsOf(run, 'fault worker').filter(([begin, end]) => end > begin);
      expect(busy.length).toBeGreaterThan(0);
      for (const [, end] of busy) expect(replays).toContain(end);
    }
  });

  test('copies are as long as the time that the run copied', () => {
    const { run } = runOf(FIRST_EXAMPLE, 'nvidia');
    const copied = barsOf(run, 'copy engines').reduce((sum, [begin, end]) => sum + end - begin, 0);
    expect(copied).toBeCloseTo(run.report?.time_by_part.copying ?? 0, 3);
    expect(copied).toBeGreaterThan(0);
  });
});
