import type { ClientFactory } from '@hmm/device';
import type { PlayMemory } from '@hmm/machine';
import { factoriesWithCosts } from '../costs.js';
import { diagnosedRun } from '../diagnosed-run.js';
import { makeSubjectRequest } from '../run-command.js';
import type { SweepCell } from './grid.js';
import type { SweepResult } from './results.js';

/** What a worker of a sweep is handed. */
export interface SweepJob {
  readonly cell: SweepCell;
}

/** Runs one cell. Whatever goes wrong is in the result. */
export async function runCell(factories: readonly ClientFactory[], { cell }: SweepJob): Promise<SweepResult> {
  try {
    return await runValues(factories, cell);
  } catch (error) {
    return failed(cell, error instanceof Error ? error.message : String(error));
  }
}

async function runValues(factories: readonly ClientFactory[], cell: SweepCell): Promise<SweepResult> {
  const { what = '', client, gpu, seed, memory, costs, ...rest } = cell.values;
  const settings = new Map(Object.entries(rest));
  const options = { json: false, seed: Number(seed ?? 1), set: settings, client, gpu };
  const kind: PlayMemory | undefined = memory === 'managed' || memory === 'malloc' ? memory : undefined;
  const costed = await factoriesWithCosts(factories, costs);
  if (!costed.ok) return failed(cell, costed.message);
  const read = await makeSubjectRequest(
    what,
    costed.factory,
    options,
    kind === undefined ? {} : { memory: kind },
  );
  if (!read.ok) return failed(cell, read.messages.join('; '));
  const run = diagnosedRun(read.request);
  if (!run.ok) return failed(cell, run.message);
  const { report, diagnosis } = run;
  const figures = {
    time_ns: report.time_ns,
    slowdown: diagnosis.slowdown ?? 1,
    thrash: diagnosis.thrash,
    faults: report.faults,
    batches: report.batches,
    cpu_faults: report.cpu_faults,
    bytes_to_device: report.bytes_to_device,
    bytes_to_host: report.bytes_to_host,
    remote_accesses: report.remote_accesses,
    evicted_pages: report.evicted_pages,
    throttled: report.throttled,
    pinned: report.pinned,
  };
  const assertion = report.failed[0];
  const error = report.error ?? (assertion === undefined ? null : `an assertion does not hold: ${assertion}`);
  return { ...cell, error, figures };
}

/** The result of a cell that could not be run. */
export function failed(cell: SweepCell, error: string): SweepResult {
  return { ...cell, error, figures: {} };
}
