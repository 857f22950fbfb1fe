import { besideExplicit, compareClients, requestOf } from '@hmm/cli';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import { type CompareReport, formatCompare } from '@hmm/report';
import { formatProgram } from '@hmm/workload';
import { withExplicitMemory } from '@hmm/workload/internal';
import { expect, test } from 'vitest';

const FACTORIES = [uvmFactory()];
const OPTIONS = { json: false, seed: 1, set: new Map<string, string>(), gpu: 'h100', client: 'nvidia' };

function requested(text: string) {
  const read = requestOf(text, 'explicit.hmm', OPTIONS, FACTORIES);
  if (!read.ok) throw new Error(read.messages.join('\n'));
  return read.request;
}

function compared(text: string): CompareReport {
  const request = requested(text);
  const report = compareClients(request, FACTORIES, OPTIONS, 'h100');
  if (typeof report === 'string') throw new Error(report);
  return besideExplicit(report, request, FACTORIES);
}

const PROGRAM = `managed a 16MiB
  cpu write a = 5
  advise a preferred gpu
  gpu read a
  gpu write a = 7
  cpu read a -> x
  assert x[0] == 7`;

test('the explicit form copies what the CPU wrote before the next launch, and home what the GPU wrote before the CPU looks', () => {
  const explicit = withExplicitMemory(requested(PROGRAM).program);
  expect(explicit.ok && formatProgram(explicit.program).trim().split('\n').slice(2)).toEqual([
    'malloc a 16MiB',
    'vram a_device 16MiB',
    'cpu write a = 5',
    'copy a to a_device',
    'gpu read a_device',
    'gpu write a_device = 7',
    'copy a_device to a',
    'cpu read a -> x',
  ]);
});

test('the report says how many times explicit memory managed memory costs, and what most of the difference is', () => {
  const report = compared(PROGRAM);
  const [nvidia] = report.explicit?.comparisons ?? [];
  expect(report.explicit?.run).toMatchObject({ error: null, bytes_to_device: 16 * 2 ** 20, faults: 0 });
  expect(nvidia?.says).toMatch(
    /^nvidia: managed costs \d+(\.\d+)? times explicit \(.*\); \d+ % of the difference is /,
  );
  expect(formatCompare(report).replace(/\s+/g, ' ')).toContain('times explicit');
});

/** The statements of the explicit form without the head of the file, or why there is none. */
function explicitOf(text: string): string[] | string {
  const made = withExplicitMemory(requested(text).program);
  if (!made.ok) return made.message;
  const lines = formatProgram(made.program).trim().split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('program'));
}

test('before a fork comes home what the child reads, and the child works on its copy of host memory', () => {
  expect(explicitOf('managed a 64KiB gpu write a = 1 fork c in c { cpu read a -> x } gpu read a')).toEqual([
    'malloc a 64KiB',
    'vram a_device 64KiB',
    'gpu write a_device = 1',
    'copy a_device to a',
    'fork c',
    'in c {',
    'cpu read a -> x',
    '}',
    'gpu read a_device',
  ]);
  expect(explicitOf('managed a 4KiB gpu read a fork c in c { gpu read a }')).toContain(
    'a child cannot use the memory of the device',
  );
});

test('before a pin comes home what the GPU has, and copies and fills are of the device’s side', () => {
  expect(
    explicitOf(
      'managed a 64KiB vram v 64KiB gpu write a = 1 pin a cpu write a = 2 copy a to v fill a = 3 copy v to a cpu read a',
    ),
  ).toEqual([
    'malloc a 64KiB',
    'vram a_device 64KiB',
    'vram v 64KiB',
    'gpu write a_device = 1',
    'copy a_device to a',
    'pin a',
    'cpu write a = 2',
    'copy a to a_device',
    'copy a_device to v',
    'fill a_device = 3',
    'copy v to a_device',
    'copy a_device to a',
    'cpu read a',
  ]);
});

test('what rounds of a loop only read is copied once, before it', () => {
  expect(
    explicitOf(
      'managed a 64KiB managed b 64KiB cpu write a = 1 repeat 3 { gpu read a gpu write b = 1 cpu read b }',
    ),
  ).toEqual([
    'malloc a 64KiB',
    'vram a_device 64KiB',
    'malloc b 64KiB',
    'vram b_device 64KiB',
    'cpu write a = 1',
    'copy a to a_device',
    'repeat 3 {',
    'gpu read a_device',
    'gpu write b_device = 1',
    'copy b_device to b',
    'cpu read b',
    '}',
  ]);
});

test('agents that work together share a region on one side, or read it; else the line is named', () => {
  const apart =
    'managed a 64KiB managed b 64KiB cpu write b = 1 together { thread P { cpu write a = 1 } thread Q { gpu read b } } gpu read a';
  expect(explicitOf(apart)).toContain('copy b to b_device');
  const shared =
    'managed a 64KiB\ngpu read a\ntogether { thread P { cpu write a = 1 } thread Q { gpu read a } }';
  expect(explicitOf(shared)).toBe(
    "line 3: 'together' has no explicit form here: CPU and GPU use a at once, and would have to take turns, with a copy of it at each",
  );
});

test.each([
  ['fork', 'managed a 256KiB cpu write a = 1 gpu write a = 2 fork c in c { cpu read a[0..2] } cpu read a'],
  ['pin', 'managed a 256KiB cpu write a = 1 gpu write a = 2 pin a gpu read a'],
  ['copy', 'managed a 256KiB vram v 256KiB cpu write a = 1 copy a to v gpu read a cpu read a'],
  [
    'together',
    'managed a 256KiB managed b 256KiB cpu write b = 1 together { thread P { cpu write a = 1 } thread Q { gpu read b } }',
  ],
])('a program with %s is said how many times explicit memory it costs', (_, text) => {
  const report = compared(text);
  expect(report.explicit?.why).toBe('');
  expect(report.explicit?.comparisons[0]?.says).toMatch(/managed costs .* times explicit/);
});

test('a program that moves a mapping has no explicit form, and the report says which line', () => {
  const report = compared('managed a 4KiB gpu read a\nmalloc b 8KiB mremap b to c');
  expect(report.explicit).toMatchObject({ run: null, comparisons: [] });
  expect(formatCompare(report)).toContain("No explicit form: line 2: 'mremap'");
});
