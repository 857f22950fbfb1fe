import { parseProgram } from '@hmm/workload';
import { expect, test } from 'vitest';
import { Machine, runProgram, type StatementObserver } from '../src/index.js';

test('an observer is told of each statement, nested ones inside, with its result at the end', () => {
  const parsed = parseProgram('malloc a 8KiB\nrepeat 2 { cpu write a = 5 }\ncpu read a -> x', 'test');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const seen: string[] = [];
  const observer: StatementObserver = {
    begin: (statement, { process }) => seen.push(`+${statement.kind} ${process.name}`),
    end: (statement, context, problem) => {
      seen.push(`-${statement.kind} ${JSON.stringify(context.lookup('x', undefined, undefined) ?? null)}`);
      expect(problem).toBeUndefined();
    },
  };
  const machine = new Machine();
  const run = runProgram(machine, parsed.program, new Map(), observer);
  expect(run.problem).toBeUndefined();
  expect(seen.filter((line) => line.startsWith('+')).map((line) => line.split(' ')[0])).toEqual([
    '+alloc',
    '+repeat',
    '+access',
    '+access',
    '+access',
  ]);
  expect(seen.at(-1)).toBe('-access [5,5]');
  expect(seen[0]).toMatch(/^\+alloc \w+$/);
});
