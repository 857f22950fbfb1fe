import { compileLitmus, itfTrace, litmusModel } from '@hmm/explore';
import { litmusDevices } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';
import { expect, test } from 'vitest';

const TEST = `litmus two-writes "Two threads write one page."
malloc a 1page
T0              | T1 ;
cpu write a = 1 | cpu write a = 2 ;
`;

test('a trace has the state before the first step and one after each, with the entry as it comes to be', () => {
  const parsed = parseProgram(TEST, 'two-writes.litmus');
  if (!parsed.ok) throw new Error('the test has a mistake');
  const compiled = compileLitmus(parsed.program, 'two-writes.litmus');
  if (!compiled.ok) throw new Error('the test does not compile');
  const trace = itfTrace(litmusModel(compiled.program, litmusDevices), 'two-writes.litmus', 'hmm1-', 1000);
  expect(trace['#meta'].format).toBe('ITF');
  expect(trace.vars).toEqual(['agent', 'functions', 'entries']);
  expect(trace.states.map((state) => state['#meta'].index)).toEqual(trace.states.map((_, i) => i));
  expect(trace.states[0]).toMatchObject({ agent: '', functions: [], entries: { '#map': [] } });
  const last = trace.states.at(-1);
  expect(last?.['entries']).toMatchObject({
    '#map': [[expect.stringContaining('0[0]'), expect.stringMatching(/^frame \d+ rw$/)]],
  });
  for (const state of trace.states)
    expect(Object.keys(state).sort()).toEqual(['#meta', ...trace.vars].sort());
});
