import { describe, expect, test } from 'vitest';
import { formatProgram, formatSourceError, parseProgram, type ProgramFile } from '@hmm/workload';

const parsed = (text: string): ProgramFile => {
  const result = parseProgram(text, 'test.hmm');
  if (!result.ok) throw new Error(result.errors.map(formatSourceError).join('\n'));
  return result.program;
};
const errors = (text: string): string[] => {
  const result = parseProgram(text, 'test.hmm');
  return result.ok ? [] : result.errors.map(formatSourceError);
};

describe('programs', () => {
  test('the first example', () => {
    const program = parsed(`program "first example" "CPU stores, GPU loads"
      malloc a 4KiB   # one page
      cpu write a[0] = 5
      gpu read a[0] -> x
      assert x == 5`);
    expect(program.name).toBe('first example');
    expect(program.body.map((s) => s.kind)).toEqual(['alloc', 'access', 'access', 'assert']);
    expect(program.body[2]).toMatchObject({
      agent: 'gpu',
      access: 'read',
      shape: 'serial',
      into: { text: 'x' },
    });
    expect(program.body[1]?.span).toMatchObject({ line: 3, column: 7 });
  });

  test('every step kind of the recordings has a statement', () => {
    const steps = `cw a seq cr a rev gr a stride:16 gw a sparse:17 ga a rand:7 pr a seq pw a subset:110 st a
      gr a page:3 advise a preferred cpu advise a accessed_by gpu advise a read_mostly gpu
      prefetch a to gpu sleep 2ms duel a[0..4] rounds 2000`;
    const program = parsed(`managed a 2MiB ${steps}`);
    expect(
      program.body.slice(1).map((s) => (s.kind === 'access' ? `${s.agent} ${s.access} ${s.shape}` : s.kind)),
    ).toEqual([
      'cpu write serial',
      'cpu read serial',
      'gpu read serial',
      'gpu write serial',
      'gpu atomic serial',
      'gpu read parallel',
      'gpu write parallel',
      'gpu read stream',
      'gpu read serial',
      'advise',
      'advise',
      'advise',
      'prefetch',
      'sleep',
      'duel',
    ]);
  });

  test('a litmus table gives each agent its column', () => {
    const program = parsed(`litmus fault-vs-munmap
      "The device reads while the CPU unmaps."
      set client = test-device
      malloc a 4pages
      cpu write a = 5 step 1
      open D0
       T0                     | T1          ;
       dread a[0..2] -> v rc e | munmap a[0] ;
                              | cpu read a[1] -> w ;
      final { snap a -> s }
      exists (T0:e = -EFAULT /\\ ~(T1:w = 6) \\/ s == [255, _, 2, 2])`);
    expect(program.threads.map((t) => t.body.length)).toEqual([1, 2]);
    expect(program.condition?.quantifier).toBe('exists');
    expect(formatProgram(program)).toContain(' T0                      | T1                 ;');
  });

  test('a discard may take the mappings along, and say where to', () => {
    const text =
      'managed a 2MiB discard a discard a[1] unmap -> x discard a[0..4] to cpu rc e discard a unmap to gpu';
    const found = parsed(text).body.flatMap((s) => (s.kind === 'discard' ? [s] : []));
    expect(found.map(({ unmap, place }) => [unmap, place])).toEqual([
      [false, undefined],
      [true, undefined],
      [false, 'cpu'],
      [true, 'gpu'],
    ]);
    expect(found.map(({ into, rc }) => [into?.text, rc?.text]).slice(1, 3)).toEqual([
      ['x', undefined],
      [undefined, 'e'],
    ]);
    expect(parsed('malloc unmap 4KiB cpu read unmap').body).toHaveLength(2);
  });

  test('words with a meaning in one place are names elsewhere', () => {
    expect(parsed('malloc page 4KiB cpu read page page:0 -> rc rc seq').body).toHaveLength(2);
  });

  test('names default to the file', () => {
    expect(parseProgram('sleep 1ms', 'dir/pingpong.hmm')).toMatchObject({
      ok: true,
      program: { name: 'pingpong' },
    });
  });
});

describe('errors name file, line, column and what was expected', () => {
  test.each([
    ['malloc a 4KiB\ngpu fetch a', "test.hmm:2:5: expected read, write, atomic or stream but found 'fetch'"],
    ['malloc a', 'test.hmm:1:9: expected a value but found the end of the file'],
    ['malloc a 4KiB\nfrob a', "test.hmm:2:1: expected a statement but found 'frob'"],
    ['managed a 4KiB\ndiscard b', 'test.hmm:2:9: there is no region called b (defined: a)'],
    [
      'managed a 4KiB\ndiscard a to disk',
      "test.hmm:2:14: expected cpu, gpu, gpu1, gpu2, gpu3, gpu4, gpu5, gpu6 or gpu7 but found 'disk'",
    ],
    ['managed a 4KiB discard a on D7', 'test.hmm:1:29: there is no device called D7 (defined: D0)'],
    ['malloc a 64', 'test.hmm:1:10: expected a size with its unit (64KiB, 8pages)'],
    ['malloc a 4KiB\ncpu read b', 'test.hmm:2:10: there is no region called b (defined: a)'],
    ['sleep 5', 'test.hmm:1:7: expected a time with its unit (5ms)'],
    [
      'malloc a 4KiB\ncpu read a = 5',
      `test.hmm:2:14: a read stores nothing; to check what it read, write '-> x' and 'assert x == …'`,
    ],
    ['malloc a 4KiB malloc a 4KiB', 'test.hmm:1:22: there is already a region called a'],
    [
      'let n = 4 malloc a 8pages cpu read a[n-1]',
      "test.hmm:1:38: expected a value but found 'n-1' (a name with hyphens; for a difference write spaces around '-')",
    ],
    ['sleep 1ms §', "test.hmm:1:11: '§' means nothing here"],
    ['assert x == 1', 'test.hmm:1:8: x is not known here: no let, result or region has that name'],
    [
      'malloc a 4KiB\n T0 | T1 ;\n cr a | cr a | cr a ;',
      'test.hmm:3:16: this is column 3, but the table has 2 agents',
    ],
  ])('%j', (text, message) => {
    expect(errors(text.includes(' T0 ') ? `litmus t ${text}` : text)[0]).toBe(message);
  });

  test('several names may be wrong at once', () => {
    expect(errors('cpu read a\ncpu read b')).toHaveLength(2);
  });
});
