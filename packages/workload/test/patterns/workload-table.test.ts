import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  uvmBenchWorkloads,
  uvmSmartWorkloads,
  workloadAccesses,
  type ModelledWorkload,
} from '../../src/patterns/index.js';

/** The row of `docs/traces/workloads.md` that describes a workload. */
function row(workload: ModelledWorkload): string {
  const mebibytes = (workload.workingSetBytes / 2 ** 20).toFixed(2);
  const launches = workload.phases.filter(({ agent }) => agent === 'gpu').length;
  const leavesOut = workload.leavesOut.split('; ').slice(0, -1).join('; ') || '–';
  const cells = [
    workload.name,
    workload.input,
    mebibytes,
    launches,
    workloadAccesses(workload),
    workload.keeps,
    leavesOut,
  ];
  return cells.join(' | ');
}

/** Table rows of a Markdown page, cells joined without their padding. */
function tableRows(page: string): string[] {
  const lines = page.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
      .join(' | '),
  );
}

describe('the page of workloads', () => {
  const rows = tableRows(
    readFileSync(new URL('../../../../docs/traces/workloads.md', import.meta.url), 'utf8'),
  );

  it.each(
    [...uvmSmartWorkloads(), ...uvmBenchWorkloads()].map(
      (workload) => [workload.suite, workload.name, workload] as const,
    ),
  )('says of %s %s what the code does', (_, __, workload) => {
    expect(rows).toContain(row(workload));
  });
});
