import { expect, test } from 'vitest';
import { Machine, prepareProgram, ResidencyHistory } from '@hmm/machine';
import { changedBy, MirrorClient } from '@hmm/machine/contract';
import { parseProgram, type ProgramFile } from '@hmm/workload';

const parse = (text: string): ProgramFile => {
  const parsed = parseProgram(text, 'queries');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.program;
};

/** A machine on which the first `made` statements of a program have run, and the rest of them. */
function paused(text: string, made: number): { machine: Machine; rest: () => unknown } {
  const machine = new Machine({ memory: { frames: 8192, systemFrames: 4096, maxTables: 64 }, trace: true });
  machine.addDevice('D0', new MirrorClient(machine.kernel));
  const program = parse(text);
  machine.run('main', prepareProgram(machine, { ...program, body: program.body.slice(0, made) }).body);
  const rest = prepareProgram(machine, { ...program, body: program.body.slice(made) });
  return { machine, rest: () => [rest.body.next(), rest.context.state.failures] };
}

const ASK =
  'assert where(a[1]) == cpu /\\ where(a[3]) == cpu /\\ mapped(a[1]) == none /\\ count(faults) == 0';

test.each([
  ['without a device', `malloc a 4pages cpu write a = 1 ${ASK}`, 2],
  [
    'with one',
    `malloc a 4pages cpu write a = 1 gpu read a[0] -> x ${ASK.replace('count(faults) == 0', 'count(faults) == 1')}`,
    3,
  ],
])('an assertion about a process %s changes nothing of what it asks', (_name, text, made) => {
  const { machine, rest } = paused(text, made);
  let ended: unknown;
  expect(changedBy(machine, () => void (ended = rest()))).toBeUndefined();
  expect(ended).toEqual([{ done: true, value: undefined }, []]);
});

test.each([
  ['without a device', 'malloc a 4pages cpu write a = 1'],
  ['with one', 'malloc a 4pages cpu write a = 1 gpu read a[0] -> x'],
])('a look of the residency history at a process %s changes nothing', (_name, text) => {
  const { machine } = paused(text, 99);
  const history = new ResidencyHistory(machine);
  expect(
    changedBy(machine, () => {
      history.look();
    }),
  ).toBeUndefined();
  expect(history.regions().map(({ looks }) => [...(looks[0] ?? [])])).toEqual([[128, 128, 128, 128]]);
});
