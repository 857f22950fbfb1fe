import { describe, expect, test } from 'vitest';
import { Machine, type ProgramRun, runProgram } from '@hmm/machine';
import { MirrorClient } from '@hmm/machine/contract';
import { formatSourceError, parseProgram } from '@hmm/workload';

const MEMORY = { frames: 65_536, systemFrames: 32_768, maxTables: 1024 };

const run = (text: string, parameters: [string, number][] = []): ProgramRun => {
  const parsed = parseProgram(text, 'test');
  if (!parsed.ok) throw new Error(parsed.errors.map(formatSourceError).join('\n'));
  const machine = new Machine({ memory: MEMORY });
  machine.addDevice('D0', new MirrorClient(machine.kernel));
  return runProgram(machine, parsed.program, new Map(parameters));
};
const result = (text: string, name: string): readonly number[] | undefined => {
  const { problem, results } = run(text);
  expect(problem).toBeUndefined();
  return results.get(name);
};

describe('programs on a machine', () => {
  test('the first example: the CPU stores 5, the device loads 5', () => {
    expect(result('malloc a 4KiB cpu write a[0] = 5 width 4 gpu read a[0] width 4 -> x', 'x')).toEqual([5]);
  });

  test('values of partial orders come back by page', () => {
    const text = 'malloc a 8pages cpu write a = 10 step 1 cpu read a stride:3 -> x cpu read a sparse:3 -> y';
    expect(result(text, 'x')).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
    expect(result(text, 'y')).toEqual([10, 13, 16]);
  });

  test('widths are little-endian and wrap', () => {
    const text =
      'malloc a 1page cpu write a = 0x1ff width 2 cpu atomic a += 0xff02 width 2 cpu read a byte 1 -> x cpu read a -> y';
    expect(result(text, 'x')).toEqual([1]);
    expect(result(text, 'y')).toEqual([1]);
  });

  test('a bad page of a CPU loop is -1, and the loop goes on', () => {
    const text = 'malloc a 3pages cpu write a = 4 munmap a[1] cpu read a -> x rc e';
    expect(result(text, 'x')).toEqual([4, -1, 4]);
    expect(result(text, 'e')).toEqual([11]);
  });

  test('let, loops and parameters from outside', () => {
    const text = 'let n = 2 malloc a (n * 4096B) for i = 0..n { cpu write a[i] = i + 1 } cpu read a -> x';
    expect(run(text).results.get('x')).toEqual([1, 2]);
    expect(run(text, [['n', 3]]).results.get('x')).toEqual([1, 2, 3]);
  });

  test('a discard that the driver has not ends the program and says so, unless rc takes it', () => {
    const { problem } = run('malloc a 2pages\n  discard a[1] unmap');
    expect(problem).toMatchObject({ span: { line: 2, column: 3 } });
    expect(problem?.message).toBe(
      "mirror on none has no call to discard (-EOPNOTSUPP; write 'rc e' to go on)",
    );
    expect(result('malloc a 1page discard a to gpu rc e', 'e')).toEqual([-95]);
  });

  test('threads run at once, each with its own results', () => {
    const text = `malloc a 1page
      together {
        thread T0 { sleep 10us cpu read a -> x }
        thread T1 { cpu write a = 7 cpu read a -> x }
      }
      assert T0:x == 7 /\\ T1:x == 7`;
    expect(run(text)).toMatchObject({ problem: undefined, failures: [] });
  });

  test('a duel ends, with both sides having written', () => {
    const text = 'malloc a 2pages duel a rounds 5 cpu read a -> x';
    expect(result(text, 'x')?.every((value) => value === 1 || value === 2)).toBe(true);
  });

  test('pins hold a page until they are dropped', () => {
    expect(result('malloc a 2pages cpu write a pin a write rc p unpin a rc u unpin a rc v', 'p')).toEqual([
      0,
    ]);
    expect(result('malloc a 2pages cpu write a pin a write rc p unpin a rc u unpin a rc v', 'v')).toEqual([
      -22,
    ]);
  });

  test('a litmus test runs its columns at once and then its final part', () => {
    const text = `litmus t
      malloc a 1page
      cpu write a = 1
       T0            | T1           ;
       cpu read a -> x | gpu read a -> x ;
      final { cpu read a -> y }`;
    expect(run(text).results).toEqual(
      new Map([
        ['x', [1]],
        ['T0:x', [1]],
        ['T1:x', [1]],
        ['y', [1]],
      ]),
    );
  });

  test('queries see residency, mappings and counters', () => {
    const text = `malloc a 2pages
      cpu write a
      gpu read a[0]
      assert where(a[0]) == cpu /\\ mapped(a[0]) == rw /\\ mapped(a[1]) == none /\\ count(faults) == 1`;
    expect(run(text)).toMatchObject({ problem: undefined, failures: [] });
  });
});

describe('what cannot be done is said with its place', () => {
  test.each([
    ['malloc a 2pages cpu read a[2]', 'pages 2..3 are not a part of a, which has 2'],
    ['malloc a 2pages cpu read a page:5', 'page 5 is not in a range of 2'],
    ['malloc a 2pages cpu read a width 3', 'a width is 1, 2 or 4 bytes, not 3'],
    ['managed a 2pages', 'mirror has no managed memory: use malloc'],
    ['malloc a 2pages munmap a gpu read a', /the GPU's access failed after 0 of 2/],
    ['malloc a 1page malloc b 1page mprotect a[0..1] r advise a preferred cpu', /failed with -EOPNOTSUPP/],
  ])('%s', (text, message) => {
    expect(run(text).problem?.message).toMatch(message);
  });

  test('a failed assertion says what was seen, and the program goes on', () => {
    const { failures, results } = run(
      'malloc a 1page cpu write a = 4 cpu read a -> x assert x == 5 cpu read a -> y',
    );
    expect(failures.map(({ seen }) => seen)).toEqual(['x = 4']);
    expect(results.get('y')).toEqual([4]);
  });
});
