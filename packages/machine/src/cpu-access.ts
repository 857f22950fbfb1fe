import type { Task } from '@hmm/kernel';
import { cpuTouch, SIGBUS } from '@hmm/mm';
import { ACCESS_ATOMIC, ACCESS_READ, ACCESS_WRITE, type AccessStream, type ManagedMemory } from '@hmm/device';
import { cpuAdd, cpuLoad, cpuStore } from './memory-calls.js';
import type { Process } from './process.js';

/** What a CPU access costs, ns. */
export interface CpuCost {
  /** A touch of a page that is mapped. */
  readonly accessNs: number;
}

/** A first touch of a mapped page: read and write, averaged, on the recorded machine's Xeon. */
export const CPU_COST: CpuCost = { accessNs: 50 };

/** What a loop of CPU accesses saw. */
export interface CpuAccessResult {
  /** 0, or the first signal raised. A bad access does not end the loop: as with a handler that skips it. */
  readonly signal: number;
  /** Per access, 1 where it raised a signal. */
  readonly bad: Uint8Array;
}

/** Runs `stream` on a CPU of `process`, on memory of the kernel's own. Loaded values replace `stream.values`. */
export function* cpuAccess(process: Process, stream: AccessStream, cost: CpuCost): Task<CpuAccessResult> {
  const { sched } = process.mm.kernel;
  const { pages, values } = stream;
  const bad = new Uint8Array(pages.length);
  let signal = 0;
  for (let i = 0; i < pages.length; i++) {
    const vpn = stream.base + (pages[i] ?? 0);
    const got = yield* accessOne(process, stream, vpn, values?.[i] ?? 0);
    if (got < 0) {
      bad[i] = 1;
      if (signal === 0) signal = -got;
    } else if (stream.access !== ACCESS_WRITE && values !== undefined) values[i] = got;
  }
  yield* sched.delay(pages.length * cost.accessNs);
  return { signal, bad };
}

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

/** As {@link cpuAccess} on memory that a driver allocated: the driver serves the faults. */
export function* managedCpuAccess(memory: ManagedMemory, stream: AccessStream): Task<CpuAccessResult> {
  const bad = new Uint8Array(stream.pages.length);
  let signal = 0;
  for (let from = 0; from < stream.pages.length;) {
    const values = stream.values?.subarray(from);
    const rest = { ...stream, pages: stream.pages.subarray(from), values };
    const { errno, done } = yield* memory.cpuAccess(rest);
    if (errno === 0) break;
    bad[from + done] = 1;
    if (signal === 0) signal = SIGBUS;
    from += done + 1;
  }
  return { signal, bad };
}

/** What was loaded, what was there before an addition, 0 for a store; or a negated signal number. */
function* accessOne(process: Process, stream: AccessStream, vpn: number, value: number): Task<number> {
  const { access, offset, width } = stream;
  if (access === ACCESS_READ) return yield* cpuLoad(process.mm, vpn, offset, width);
  if (access === ACCESS_ATOMIC) return yield* cpuAdd(process.mm, vpn, offset, width, value);
  return yield* cpuStore(process.mm, vpn, offset, width, value);
}
