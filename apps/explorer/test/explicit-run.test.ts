import { parseProgram, type ProgramFile } from '@hmm/workload';
import { expect, test } from 'vitest';
import { CLIENTS } from '../src/drivers.js';
import { besideExplicit } from '../src/engine/explicit-run.js';
import type { ExplicitView } from '../src/engine/explicit-view.js';
import { runPane } from '../src/engine/run-pane.js';

const NVIDIA = { client: 'nvidia', gpu: 'h100', settings: [] };

function parsed(text: string): ProgramFile {
  const result = parseProgram(text, 'explicit.hmm');
  if (!result.ok) throw new Error(result.errors[0]?.message);
  return result.program;
}

function beside(text: string): ExplicitView {
  const program = parsed(text);
  const pane = runPane(program, NVIDIA, CLIENTS);
  if (!pane.ok) throw new Error(pane.message);
  return besideExplicit(program, [NVIDIA], [pane.report], CLIENTS);
}

test('a run is told how many times explicit memory it costs, and what most of the difference is', () => {
  const { says, why } = beside('managed a 256KiB cpu write a = 1 gpu read a cpu read a');
  expect(why).toBe('');
  expect(says).toHaveLength(1);
  expect(says[0]).toMatch(/^nvidia: managed costs .* times explicit .*% of the difference is /);
});

test('of a program without an explicit form it is said why', () => {
  expect(beside('managed a 4KiB cpu write a = 1')).toEqual({
    says: [],
    why: 'no kernel of the program uses memory',
  });
});
