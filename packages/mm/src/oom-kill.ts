import type { Task } from '@hmm/kernel';
import {
  MMU_NOTIFY_UNMAP,
  MmuNotifierRange,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  NO_OWNER,
} from '@hmm/mmu-notifier';
import type { MmStruct } from './mm-struct.js';
import { accessTables } from './observe.js';
import { MmuGather } from './mmu-gather.js';
import { VM_LOCKED, VM_SHARED } from './vma.js';
import { unmapPageRange } from './zap.js';

/**
 * Takes the private memory of a process that is being killed, without waiting for anybody: subscribers that would have
 * to sleep are passed by, with the memory that they mirror.
 * @returns whether all of it could be had.
 * @kernel mm/oom_kill.c oom_reap_task_mm (without: the choice of a process, retries, MMF_OOM_SKIP; passes
 * locked mappings by, which the kernel reaps, and reaps hugetlb and PFN mappings, which it passes by)
 */
export function* oomReapTaskMm(mm: MmStruct): Task<boolean> {
  if (!mm.mmapLock.tryRead()) return false;
  accessTables(mm, true);
  mm.unstable = true;
  let complete = true;
  for (const vma of [...mm.vmas]) {
    if ((vma.flags & (VM_SHARED | VM_LOCKED)) !== 0) continue;
    const range = new MmuNotifierRange(MMU_NOTIFY_UNMAP, 0, mm, vma.start, vma.end, NO_OWNER);
    const started = mmuNotifierInvalidateRangeStart(range);
    if ((typeof started === 'number' ? started : yield* started) !== 0) {
      complete = false;
      continue;
    }
    const tlb = new MmuGather(mm);
    yield* unmapPageRange(tlb, vma, vma.start, vma.end);
    tlb.finish();
    mmuNotifierInvalidateRangeEnd(range);
  }
  mm.mmapLock.unlockRead();
  return complete;
}
