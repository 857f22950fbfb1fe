import { PatternBatch, phaseSeed, type Workload, type WorkloadPhase } from '@hmm/workload/patterns';
import type { PlayPhase, PlayScript } from './play-script.js';

/** A generated workload as a play; the same seed gives the same accesses. */
export function workloadScript(workload: Workload, seed: number): PlayScript {
  return {
    name: workload.name,
    regions: workload.regions,
    *phases(starts) {
      for (const [index, phase] of workload.phases.entries())
        yield patternPhase(phase, phaseSeed(seed, index), starts);
    },
  };
}

function patternPhase(phase: WorkloadPhase, seed: number, starts: Float64Array): PlayPhase {
  const { name, agent, lanes, pattern } = phase;
  let columns: PatternBatch | undefined;
  let next = 0;
  return {
    name,
    agent,
    lanes,
    fill(pages, kinds) {
      columns ??= new PatternBatch({
        region: new Uint8Array(pages.length),
        page: new Uint32Array(pages.buffer, pages.byteOffset, pages.length),
        kind: kinds,
      });
      columns.clear();
      const count = Math.min(pages.length, pattern.accesses - next);
      pattern.fill(columns, next, count, seed);
      next += count;
      if (starts.length > 1) place(columns, starts);
      return count;
    },
  };
}

/** Pages of regions to pages of the play, where they are; those of the first region count from its start. */
function place(batch: PatternBatch, starts: Float64Array): void {
  const { region, page, length } = batch;
  for (let i = 0; i < length; i++) page[i] = (starts[region[i] ?? 0] ?? 0) + (page[i] ?? 0);
}
