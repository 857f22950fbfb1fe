import { EINVAL, SP_PREEMPT, type Task } from '@hmm/kernel';
import {
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_WRITE,
  handleMmFault,
  VM_FAULT_ERROR,
  VM_READ,
  VM_WRITE,
  type Vma,
} from '@hmm/mm';
import {
  FAULT_FLAG_ALLOW_RETRY,
  isDevicePrivatePte,
  isMigrationPte,
  isSwapPte,
  migrationEntryWait,
  PTE_PROTNONE,
  PTE_WRITE,
  VM_FAULT_RETRY,
} from '@hmm/mm/internal';
import { CpuEntry } from '../cpu-entry.js';
import type { HmmCore } from '../hmm.js';
import { fillSlots, HMM_PFN_ERROR, HMM_PFN_FAULT, HMM_PFN_SPECIAL, HMM_PFN_WRITE } from '../hmm-pfn.js';
import { outsideVma } from '../hmm-range.js';
import { storeSlot, unmirrored } from '../store-slot.js';

/** A fault served the page; it could not; mmap_sem was dropped on the way. */
const SERVED = 0;
const FAILED = 1;
const DROPPED = 2;

/**
 * Reads what the CPU maps of the pages [start, end) of a VMA into `pfns`. The caller holds mmap_sem, and a range lock or a monitor:
 * no page is held, so a frame is good only as long as that is.
 *
 * | entry | slot |
 * | --- | --- |
 * | none | EMPTY |
 * | present, huge ones too | VALID, READ, WRITE as far as allowed |
 * | swapped out; a huge page without permissions | 0 |
 * | device memory | VALID, DEVICE, UNADDRESSABLE, WRITE as far as allowed |
 * | being migrated, and any other | ERROR |
 *
 * @returns 0; `-EINVAL`: not within the VMA, or a VMA that no device mirrors (then each slot is SPECIAL). @v13 patch 12 hmm_vma_get_pfns (all)
 */
export function hmmVmaGetPfns(vma: Vma, start: number, end: number, pfns: Int32Array): number {
  if (unmirrored(vma)) {
    fillSlots(pfns, 0, end - start, HMM_PFN_SPECIAL);
    return -EINVAL;
  }
  if (outsideVma(vma, start, end)) return -EINVAL;
  const entry = new CpuEntry();
  for (let i = 0; i < end - start; i++) {
    entry.read(vma.mm, start + i);
    storeSlot(vma, entry, pfns, i);
  }
  return 0;
}

/**
 * Faults the pages whose slots say FAULT, for writing where they say WRITE, and reads all of [start, end) as
 * {@link hmmVmaGetPfns} does. The caller holds mmap_sem for reading, and a monitor: under a range lock it waits for itself. Success
 * is told by each slot: ERROR where a page cannot be had. A page of device memory is reported and not brought home, and one that is
 * being migrated is waited for.
 * @returns whether mmap_sem is still held, and nothing else. Where it was dropped, the slots from the page on are 0, with what
 * they asked for. A VMA that no device mirrors is true, as success is (inferred). @v13 patch 13 hmm_vma_fault (all)
 */
export function* hmmVmaFault(
  core: HmmCore,
  vma: Vma,
  start: number,
  end: number,
  pfns: Int32Array,
): Task<boolean> {
  if (unmirrored(vma)) {
    fillSlots(pfns, 0, end - start, HMM_PFN_SPECIAL);
    return true;
  }
  if (outsideVma(vma, start, end)) return true;
  const entry = new CpuEntry();
  const { sched } = vma.mm.kernel;
  for (let i = 0; i < end - start;) {
    if (sched.exploring) yield SP_PREEMPT;
    const asked = pfns[2 * i] ?? 0;
    entry.read(vma.mm, start + i);
    if ((asked & HMM_PFN_FAULT) !== 0 && isMigrationPte(entry.flags)) {
      yield* migrationEntryWait(vma.mm, start + i, entry.pfn);
      continue;
    }
    const write = needsFault(core, vma, entry, asked);
    if (write === undefined) {
      storeSlot(vma, entry, pfns, i++);
      continue;
    }
    const fault = yield* hmmVmaDoFault(vma, start + i, write);
    if (fault === DROPPED) {
      fillSlots(pfns, i, end - start, 0);
      return false;
    }
    if (fault === SERVED) continue;
    const empty = entry.flags === 0 || isSwapPte(entry.flags);
    fillSlots(pfns, i, i + 1, empty && core.does.failedFaultLooksEmpty ? 0 : HMM_PFN_ERROR);
    i++;
  }
  return true;
}

/** Whether a page is to be faulted, and if so whether for writing; undefined where it is as it was asked for. */
function needsFault(core: HmmCore, vma: Vma, { flags }: CpuEntry, asked: number): boolean | undefined {
  if ((asked & HMM_PFN_FAULT) === 0 || (vma.flags & VM_READ) === 0) return undefined;
  const write = (asked & HMM_PFN_WRITE) !== 0;
  if (flags === 0 || isSwapPte(flags) || (flags & PTE_PROTNONE) !== 0) return write;
  if (!write || (vma.flags & VM_WRITE) === 0 || (flags & PTE_WRITE) !== 0) return undefined;
  return isDevicePrivatePte(flags) && !core.does.deviceEntryFaulted ? undefined : true;
}

/** @v13 patch 13 hmm_vma_do_fault (all) */
function* hmmVmaDoFault(vma: Vma, vpn: number, write: boolean): Task<number> {
  const flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0);
  const served = handleMmFault(vma, vpn, flags);
  const result = typeof served === 'number' ? served : yield* served;
  if ((result & VM_FAULT_RETRY) !== 0) return DROPPED;
  return (result & VM_FAULT_ERROR) !== 0 ? FAILED : SERVED;
}
