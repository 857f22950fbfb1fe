import { toyFactory } from '@hmm/toy-driver';
import { parseProgram, type ProgramFile } from '@hmm/workload';
import { expect, test } from 'vitest';
import { type PaneRun, runPane } from '../src/engine/run-pane.js';
import { recordSteps } from '../src/engine/step-recorder.js';
import { whyChain } from '../src/engine/why.js';

const SPEC = { client: 'toy', gpu: '', settings: [] };

const program = (text: string): ProgramFile => {
  const parsed = parseProgram(text, 'toy');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.program;
};

const WALK = program('malloc a 32pages\ncpu write a = 5\ngpu read a -> x\nassert x[31] == 5\n');

function paneOf(): PaneRun {
  const pane = runPane(WALK, SPEC, [toyFactory()]);
  if (!pane.ok) throw new Error(pane.message);
  return pane;
}

const kindsOf = ({ run }: PaneRun): string[] =>
  Array.from({ length: run.events.length }, (_, i) => run.kinds[run.events.kind[i] ?? 0] ?? '');

test('an event of a driver that nobody here knows is explained by what the driver declares', () => {
  const pane = paneOf();
  const chain = whyChain(pane, kindsOf(pane).lastIndexOf('toy:map'));
  expect(chain.map(({ title, rule }) => [title, rule])).toEqual([
    ['access', ''],
    ['fault', 'toy_fault reads the missing address'],
    ['batch', 'toy_fault: one window'],
    ['decision', toyFactory().rules.gpuFault],
    ['mapping', 'toy_enter'],
    ['replay', 'toy_doorbell'],
    ['result', ''],
  ]);
  expect(chain.find(({ title }) => title === 'fault')?.text).toContain('toy:fault a[16] (read)');
  expect(chain.find(({ title }) => title === 'decision')?.text).toBe('mapped where it is');
});

test('its events are drawn in the lanes of their meanings, and in its own', () => {
  const { run } = paneOf();
  expect(run.lanes).toEqual(
    expect.arrayContaining(['GPU faults', 'fault worker', 'device page table', 'replay, cancel', 'doorbell']),
  );
});

test('an event that no fault explains is told by its own sentence', () => {
  const pane = paneOf();
  const doorbell = whyChain(pane, kindsOf(pane).indexOf('toy:doorbell'));
  expect(doorbell.map(({ title }) => title)).toContain('fault');
  const written = runPane(program('malloc a 1page\nclose D0\ngpu read a rc e\n'), SPEC, [toyFactory()]);
  if (!written.ok) throw new Error(written.message);
  const chain = whyChain(written, kindsOf(written).indexOf('toy:doorbell'));
  expect(chain.find(({ title }) => title === 'event')?.rule).toBe('a kernel is handed to the card');
});

test('its access goes through the five steps', () => {
  const track = recordSteps(WALK, SPEC, [toyFactory()]);
  if (!track.ok) throw new Error(track.message);
  const begun = track.steps.filter(({ narration }) => narration !== '').map(({ five }) => five);
  expect(begun.slice(0, 4)).toEqual([1, 2, 3, 4]);
  expect(begun.at(-1)).toBe(5);
  expect(track.steps.some(({ narration }) => narration.includes(toyFactory().rules.gpuFault))).toBe(true);
});
