import { ACCESS_ATOMIC, ACCESS_READ, ACCESS_WRITE, type AccessStream, type ManagedMemory } from '@hmm/device';
import { EPERM, type Task } from '@hmm/kernel';
import { cpuAccess, type MemorySystem, type MmStruct, SIGBUS, SIGSEGV } from '@hmm/mm';
import { accessData } from '@hmm/mm/internal';
import type { OperationContext } from './context.js';
import type { PageRange } from './memory-region.js';

/** What a loop of CPU accesses saw. */
export interface CpuAccessResult {
  /** 0, or the first signal raised. A bad access does not end the loop: as with a handler that skips it. */
  readonly signal: number;
  /** Per access, 1 where it raised a signal. */
  readonly bad: Uint8Array;
}

/** Runs `stream` on a CPU of the context's process. Loaded values replace `stream.values`. */
export function* cpuAccesses(
  context: OperationContext,
  range: PageRange,
  stream: AccessStream,
): Task<CpuAccessResult> {
  const { process } = context;
  const managedBy = range.region?.managedBy;
  if (managedBy === undefined) return yield* systemAccesses(context, stream);
  // Memory that a driver allocated for another process: the fork gave the address, but nothing behind it.
  const own = range.region?.process === process.name;
  const managed = own ? context.opened(managedBy)?.managed : undefined;
  if (managed !== undefined) return yield* managedAccesses(managed, stream);
  return { signal: SIGBUS, bad: new Uint8Array(stream.pages.length).fill(1) };
}

/** On memory of the kernel's own. */
function* systemAccesses(context: OperationContext, stream: AccessStream): Task<CpuAccessResult> {
  const { between } = context;
  const { mm } = context.process;
  const { pages, values } = stream;
  const bad = new Uint8Array(pages.length);
  const seen: number[] = [];
  let signal = 0;
  for (let i = 0; i < pages.length; i++) {
    if (between !== undefined) yield* between(seen);
    const got = yield* accessOne(mm, stream, stream.base + (pages[i] ?? 0), values?.[i] ?? 0);
    if (got < 0) {
      bad[i] = 1;
      if (signal === 0) signal = -got;
    } else if (stream.access !== ACCESS_WRITE && values !== undefined) values[i] = got;
    if (between !== undefined) seen.push(got < 0 ? -1 : got);
  }
  yield* context.cpuTime(pages.length);
  return { signal, bad };
}

/** On memory that a driver allocated, and whose faults it serves. */
function* managedAccesses(memory: ManagedMemory, stream: AccessStream): Task<CpuAccessResult> {
  const bad = new Uint8Array(stream.pages.length);
  let signal = 0;
  for (let from = 0; from < stream.pages.length;) {
    const values = stream.values?.subarray(from);
    const rest = { ...stream, pages: stream.pages.subarray(from), values };
    const { errno, done } = yield* memory.cpuAccess(rest);
    if (errno === 0) break;
    bad[from + done] = 1;
    if (signal === 0) signal = errno === -EPERM ? SIGSEGV : SIGBUS;
    from += done + 1;
  }
  return { signal, bad };
}

/** What was loaded, what was there before an addition, 0 for a store; or a negated signal number. */
function* accessOne(mm: MmStruct, stream: AccessStream, vpn: number, value: number): Task<number> {
  const { access, offset, width } = stream;
  const pfn = yield* cpuAccess(mm, vpn, access !== ACCESS_READ);
  if (pfn < 0) return pfn;
  const before = access === ACCESS_WRITE ? 0 : loadFrame(mm.system, pfn, offset, width);
  if (access !== ACCESS_READ)
    storeFrame(mm.system, pfn, offset, width, access === ACCESS_ATOMIC ? before + value : value);
  return before;
}

function loadFrame(memory: MemorySystem, pfn: number, offset: number, width: number): number {
  accessData(memory, pfn, false);
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + memory.data.readByte(pfn, offset + i);
  return value;
}

function storeFrame(memory: MemorySystem, pfn: number, offset: number, width: number, value: number): void {
  accessData(memory, pfn, true);
  for (let i = 0, rest = value; i < width; i++, rest = Math.floor(rest / 256)) {
    memory.data.writeByte(pfn, offset + i, rest & 255);
  }
}
