import type { Findings, MirrorDevicesFactory, Search, Subtree } from '@hmm/explore';
import { type ExplorationTask, openTask, type PlainSearchOptions } from './task.js';

/** Executions between two turns of whatever else is to be done. */
const SLICE = 8;

/** Parts that are given away beside the rest: as many as a queue needs to have work for more and more workers. */
const PARTS = 3;

/**
 * Explores a part of a test for so many executions, then splits what is left. The parts follow from the arguments alone: who does it
 * again, on whatever machine, gives the same away.
 * @throws HmmError where the test cannot be read or set up
 */
export async function exploreBudget(
  task: ExplorationTask,
  devices: MirrorDevicesFactory,
  options: PlainSearchOptions,
  part: Subtree | undefined,
  budget: number,
): Promise<{ readonly findings: Findings; readonly parts: readonly Subtree[] }> {
  const { search } = openTask(task, devices, options, part);
  for (let rest = budget; rest > 0 && search.advance(Math.min(SLICE, rest)); rest -= SLICE)
    await new Promise<void>((resolve) => setImmediate(resolve));
  return shared(search);
}

function shared(search: Search): { findings: Findings; parts: readonly Subtree[] } {
  const findings = search.findings();
  if (findings.complete) return { findings, parts: [] };
  const given: Subtree[] = [];
  for (let i = 0; i < PARTS; i++) {
    const part = search.split();
    if (part !== undefined) given.push(part);
  }
  return { findings: { ...findings, complete: true }, parts: [...given, ...(search.save()?.left ?? [])] };
}
