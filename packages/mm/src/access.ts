import { type Task } from '@hmm/kernel';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_WRITE,
  FAULT_REPEAT_NS,
  VM_FAULT_ERROR,
  VM_FAULT_HWPOISON,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
} from './fault.js';
import { handleMmFault, handleMmFaultFast } from './handle-mm-fault.js';
import type { MmStruct } from './mm-struct.js';
import { accessData, accessPte, accessTables } from './observe.js';
import { PTE_DIRTY, PTE_HUGE, PTE_PRESENT, PTE_PROTNONE, PTE_WRITE, PTE_YOUNG } from './pte.js';
import { findPmd } from './page-walk.js';
import { TP_PAGE_FAULT_USER } from './tracepoints.js';
import { vmaLookup } from './vma-set.js';
import { VM_EXEC, VM_READ, VM_WRITE, type Vma } from './vma.js';

/** Signals that an access can end in. */
export const SIGBUS = 7;
export const SIGSEGV = 11;

/**
 * Whether a VMA forbids an access.
 * @kernel arch/x86/mm/fault.c access_error (without: protection keys, SGX, shadow stacks, a read that faults
 * on a present entry)
 */
function accessError(vma: Vma, write: boolean): boolean {
  return (vma.flags & (write ? VM_WRITE : VM_READ | VM_WRITE | VM_EXEC)) === 0;
}

/**
 * A CPU access that the page tables do not allow: the page fault handler.
 * @returns 0 to repeat the access, or the negated signal that it ends in: `-SIGSEGV`, or `-SIGBUS` (also where memory is
 * used up and the kernel would look for a process to kill).
 * @param before faults of this access before this one, as far as they are told apart.
 * @kernel arch/x86/mm/fault.c do_user_addr_fault (without: per-VMA locks, growing stacks, faults in kernel
 * mode, signal details)
 */
export function* cpuFault(mm: MmStruct, vpn: number, write: boolean, before = 0): Task<number> {
  traceFault(mm, vpn, write);
  if (!mm.mmapLock.tryReadFast()) {
    mm.kernel.sched.beginRest(FAULTED[before] ?? FAULTED_OFTEN);
    yield* mm.mmapLock.read();
    mm.kernel.sched.endRest();
  }
  const vma = vmaLookup(mm, vpn);
  let ret = -SIGSEGV;
  if (vma !== undefined && !accessError(vma, write)) {
    const served = handleMmFault(vma, vpn, FAULT_FLAG_ALLOW_RETRY | (write ? FAULT_FLAG_WRITE : 0));
    const fault = typeof served === 'number' ? served : yield* served;
    if ((fault & VM_FAULT_RETRY) !== 0) return 0;
    ret = (fault & VM_FAULT_OOM) !== 0 && before < OOM_REPEATS ? 0 : signalOf(fault);
  }
  mm.mmapLock.unlockRead();
  return ret;
}

/**
 * Faults without memory that an access repeats; then the kernel would look for a process to kill.
 * @kernel mm/oom_kill.c pagefault_out_of_memory (without: memory control groups; no process is killed, the
 * access ends in SIGBUS)
 */
const OOM_REPEATS = 2;

/** What an access has in mind at a fault: how many there were. */
const FAULTED_OFTEN: readonly number[] = [2];
const FAULTED: readonly (readonly number[])[] = [[0], [1]];
/** The same of an access that is about to be repeated. */
const REPEATED_OFTEN: readonly number[] = [2, 1];
const REPEATED: readonly (readonly number[])[] = [[1, 1]];

function signalOf(fault: number): number {
  if ((fault & VM_FAULT_ERROR) === 0) return 0;
  return (fault & (VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_HWPOISON)) !== 0 ? -SIGBUS : -SIGSEGV;
}

/** {@link cpuFault} for the faults that need no scheduling point. @returns 0 when the access can be repeated, else -1. */
export function cpuFaultFast(mm: MmStruct, vpn: number, write: boolean): number {
  if (!mm.mmapLock.tryReadFast()) return -1;
  const vma = vmaLookup(mm, vpn);
  let ret = -1;
  if (vma !== undefined && !accessError(vma, write))
    ret = handleMmFaultFast(vma, vpn, write ? FAULT_FLAG_WRITE : 0) === 0 ? 0 : -1;
  mm.mmapLock.unlockRead();
  if (ret === 0) traceFault(mm, vpn, write);
  return ret;
}

function traceFault(mm: MmStruct, vpn: number, write: boolean): void {
  const { kernel } = mm;
  if (kernel.trace.on) kernel.emit(TP_PAGE_FAULT_USER, vpn, 1, 2 * mm.id + (write ? 1 : 0));
}

/**
 * What the CPU's page walk finds at `vpn`: the frame, with the entry marked used, or -1 where the access faults.
 */
export function cpuTranslate(mm: MmStruct, vpn: number, write: boolean): number {
  const { tables } = mm.system;
  const { lanes } = tables;
  let entry = tables.findPte(mm.root, vpn);
  let inside = 0;
  if (entry < 0) {
    accessTables(mm, false);
    entry = findPmd(mm, vpn);
    if (entry < 0 || ((lanes[entry] ?? 0) & PTE_HUGE) === 0) return -1;
    inside = vpn & 511;
  }
  const pte = lanes[entry] ?? 0;
  const need = write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
  accessPte(mm.system, entry, false);
  if ((pte & (need | PTE_PROTNONE)) !== need) return -1;
  lanes[entry] = pte | (write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  return (lanes[entry + 1] ?? 0) + inside;
}

/**
 * Makes page `vpn` accessible to the CPU and returns its frame, or a negated signal. The frame is good until the next
 * scheduling point.
 */
export function* cpuAccess(mm: MmStruct, vpn: number, write: boolean): Task<number> {
  for (let faults = 0; ; faults++) {
    const pfn = cpuTranslate(mm, vpn, write);
    if (pfn >= 0) return pfn;
    // A page that comes home may have to be copied next. Further faults wait for somebody else's migration to end.
    if (faults > 1) yield* mm.kernel.sched.delay(FAULT_REPEAT_NS);
    if (cpuFaultFast(mm, vpn, write) === 0) continue;
    const ret = yield* cpuFault(mm, vpn, write, faults);
    if (ret < 0) return ret;
    // What the fault has brought may be taken away again before the access is repeated.
    if (mm.kernel.sched.exploring) yield* mm.kernel.sched.restPoint(REPEATED[faults] ?? REPEATED_OFTEN);
  }
}

/** Reads byte `offset` of page `vpn`: 0 … 255, or `-SIGSEGV` / `-SIGBUS`. */
export function* cpuReadByte(mm: MmStruct, vpn: number, offset: number): Task<number> {
  const pfn = yield* cpuAccess(mm, vpn, false);
  if (pfn < 0) return pfn;
  accessData(mm.system, pfn, false);
  return mm.system.data.readByte(pfn, offset);
}

/** Writes byte `offset` of page `vpn`; 0, or `-SIGSEGV` / `-SIGBUS`. */
export function* cpuWriteByte(mm: MmStruct, vpn: number, offset: number, value: number): Task<number> {
  const pfn = yield* cpuAccess(mm, vpn, true);
  if (pfn < 0) return pfn;
  accessData(mm.system, pfn, true);
  mm.system.data.writeByte(pfn, offset, value);
  return 0;
}

/**
 * Reads bytes that start at byte `offset` of page `vpn` and may reach over several pages.
 * @returns the bytes read before the signal that stopped it, all of `into` when none did.
 */
export function* cpuRead(mm: MmStruct, vpn: number, offset: number, into: Uint8Array): Task<number> {
  for (let done = 0; done < into.length;) {
    const at = (offset + done) % 4096;
    const count = Math.min(4096 - at, into.length - done);
    const pfn = yield* cpuAccess(mm, vpn + Math.floor((offset + done) / 4096), false);
    if (pfn < 0) return done;
    accessData(mm.system, pfn, false);
    mm.system.data.read(pfn, at, into.subarray(done, done + count));
    done += count;
  }
  return into.length;
}

/** Writes bytes, as {@link cpuRead} reads them. @returns the bytes written. */
export function* cpuWrite(mm: MmStruct, vpn: number, offset: number, from: Uint8Array): Task<number> {
  for (let done = 0; done < from.length;) {
    const at = (offset + done) % 4096;
    const count = Math.min(4096 - at, from.length - done);
    const pfn = yield* cpuAccess(mm, vpn + Math.floor((offset + done) / 4096), true);
    if (pfn < 0) return done;
    accessData(mm.system, pfn, true);
    mm.system.data.write(pfn, at, from.subarray(done, done + count));
    done += count;
  }
  return from.length;
}
