import type { Task } from '@hmm/kernel';
import { SIGBUS } from '@hmm/mm';
import { cpuTouch } from '@hmm/mm/internal';
import { ACCESS_ATOMIC, ACCESS_WRITE, type AccessStream } from '@hmm/device';
import type { Process } from './process.js';

/** What a CPU access costs, ns. */
export interface CpuCost {
  /** A touch of a page that is mapped. */
  readonly accessNs: number;
}

/** A first touch of a mapped page: read and write, averaged, on the recorded machine's Xeon. */
export const CPU_COST: CpuCost = { accessNs: 50 };

/** How a loop of accesses without contents ended: the first signal or 0, and the accesses done before it. */
export interface CpuTouchResult {
  readonly signal: number;
  readonly done: number;
}

/**
 * Runs a stream without contents (`warps`) on a CPU of `process`, on memory of the kernel's own, piece by piece; ends at
 * the first signal.
 */
export function* cpuTouchStream(process: Process, stream: AccessStream, cost: CpuCost): Task<CpuTouchResult> {
  const { pages, source } = stream;
  const vpns = new Float64Array(pages.length);
  let done = 0;
  for (let count = pages.length; count > 0; count = source?.fill() ?? 0) {
    for (let i = 0; i < count; i++) vpns[i] = stream.base + (pages[i] ?? 0);
    for (let at = 0; at < count;) {
      const write = writes(stream, at);
      const end = sameKind(stream, at, count, write);
      const stop = yield* cpuTouch(process.tlb, vpns, at, end, write);
      done += stop - at;
      if (stop < end) return { signal: SIGBUS, done };
      at = end;
    }
    yield* process.mm.kernel.sched.delay(count * cost.accessNs);
  }
  return { signal: 0, done };
}

function writes(stream: AccessStream, i: number): boolean {
  const kind = stream.kinds?.[i] ?? stream.access;
  return kind === ACCESS_WRITE || kind === ACCESS_ATOMIC;
}

/** The first access from `from` on that does not write as that one does. */
function sameKind(stream: AccessStream, from: number, to: number, write: boolean): number {
  if (stream.kinds === undefined) return to;
  let end = from + 1;
  while (end < to && writes(stream, end) === write) end++;
  return end;
}
