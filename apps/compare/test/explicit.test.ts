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

test('a program that forks has no explicit form, and the report says so', () => {
  const report = compared('managed a 4KiB gpu read a fork c');
  expect(report.explicit).toMatchObject({ run: null, comparisons: [] });
  expect(formatCompare(report)).toContain("No explicit form: a program with 'fork'");
});
