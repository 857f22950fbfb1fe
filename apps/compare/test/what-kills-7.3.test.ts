import { compileLitmus, formatStory, runLitmus } from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import { litmusDevices } from '@hmm/test-device';
import { ConformReplay } from '@hmm/test-device/conform';
import { parseProgram } from '@hmm/workload';
import { describe, expect, test } from 'vitest';

// What the real 7.3 dies of, or reads wild memory at, is an error of the model with a name, and never a value.

/** What the last of some recorded operations shows, or the name of the error. */
function last(operations: readonly string[], flipped: readonly string[] = []): object {
  const replay = new ConformReplay({ release: '7.3', flipped });
  replay.observe(JSON.stringify({ script: 's', family: 'f', ops: operations.length, judged: false }));
  let shown: object = {};
  try {
    for (const op of operations) shown = replay.observe(JSON.stringify({ p: 0, op })) ?? {};
  } catch (error) {
    if (!(error instanceof HmmError)) throw error;
    return { error: error.code };
  }
  return shown;
}

const HUGE = ['mmap 0 1024 rw anon', 'dopen 0', 'madvise 0 0 1024 hugepage'];
const COHERENT = ['mmap 0 1024 rw anon', 'dopen 2', 'madvise 0 0 1024 hugepage'];

describe('scripts', () => {
  test('drelease where a huge device folio was split resets the machine; mended it brings the pages home', () => {
    const script = [...HUGE, 'todev 0 0 0 512', 'tosys 0 0 8 504', 'drelease 0 0 0 1'];
    expect(last(script)).toEqual({ error: 'MACHINE_RESET' });
    expect(last(script, ['releaseAfterSplitDies'])).toMatchObject({ rc: 0 });
  });

  test.each(['tosys 0 0 0 512', 'todev 1 0 0 512'])(
    'a failed allocation for a huge folio that parent and child map whole: %s',
    (op) => {
      const moved = op.startsWith('tosys') ? ['todev 0 0 0 512'] : ['dopen 1', 'cw 0 0 512 1'];
      const device = op.startsWith('tosys') ? 0 : 1;
      const script = [...HUGE, ...moved, 'fork', `dflags ${device} 0 0 1`, op];
      expect(last(script)).toEqual({ error: 'HUGE_ENTRY_OF_PAGE' });
      expect(last(script, ['fallbackSplitsOwnPmd'])).toMatchObject({ rc: 0 });
    },
  );

  test('the same on a coherent device, which has no huge folios to give', () => {
    const script = [...COHERENT, 'cw 0 0 512 1', 'fork', 'todev 2 0 0 512'];
    expect(last(script)).toEqual({ error: 'HUGE_ENTRY_OF_PAGE' });
  });

  test('drelease of a coherent device, then a whole 2 MiB: its chunk is of huge folios, and a fallback finds no page', () => {
    const script = [
      ...COHERENT,
      'drelease 2 0 0 1',
      'todev 2 0 0 512',
      'dflags 2 0 0 1',
      'todev 2 0 512 512',
    ];
    expect(last(script)).toEqual({ error: 'NULL_DEREFERENCE' });
  });

  test('a device that reads its own huge page from the middle reads other pages, or none at all', () => {
    // The neighbour's invalidation erases entries of the table; the walk that brings them back begins in the middle.
    const script = [...HUGE, 'cw 0 0 512 1', 'todev 0 0 0 512', 'mprotect 0 0 512 r', 'dread 0 0 40 1'];
    const mended = last(script, ['ownHugePfnsFromHead']);
    expect(mended).toMatchObject({ rc: 0, v: [41] });
    expect(last(script)).not.toEqual(mended);
  });
});

describe('a race', () => {
  const text = `litmus todev-vs-cpu-fault
  "A page goes to the device while the CPU touches it: the driver enters what it moved without looking again."
set release = 7.3
device D0
malloc a 1pages
cpu write a = 5
open D0
T0                 | T1              | T2 ;
todev a on D0 rc m | cpu write a = 2 | dread a on D0 -> x rc e ;
forall m <= 0
`;

  test('todev against a CPU fault, then an access of the device: a violation with a story', () => {
    const parsed = parseProgram(text, 'test');
    if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join());
    const compiled = compileLitmus(parsed.program, 'test');
    if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join());
    const options = { maxExecutions: 5000 };
    const { report, story } = runLitmus(compiled.program, litmusDevices, options);
    expect(report.counterexample?.invariant).toBe('I5');
    expect(story === undefined ? '' : formatStory(story)).toMatch(
      /device 0 maps page .* to frame \d+, which is free/,
    );
  });
});
