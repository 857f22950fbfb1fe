import type { Task } from '@hmm/kernel';
import { MAX_PAGE, MMU_NOTIFY_UNMAP, mmHasNotifiers } from '@hmm/mmu-notifier';
import { mmuNotifierRelease } from '@hmm/mmu-notifier/internal';
import type { MmStruct } from './mm-struct.js';
import { MmuGather } from './mmu-gather.js';
import { closeVma, freeVmaTables } from './munmap.js';
import { notifyEndStep, notifyStart } from './notify.js';
import { lruAddDrainTask } from './swap.js';
import { unmapPageRange } from './zap.js';

/**
 * Drops a user of an address space; the last one tears it down: subscribers are told of the release, then everything is
 * unmapped. @kernel kernel/fork.c mmput (without: KSM, khugepaged, AIO, uprobes, the executable's file)
 */
export function* mmput(mm: MmStruct): Task {
  mm.users--;
  // Dropping one of several users is independent of others that do; being the last one is not.
  mm.kernel.sched.access(mm.usersObject, mm.users === 0);
  if (mm.users > 0) return;
  yield* exitMmap(mm);
  mm.drop();
}

/** {@link mmput} without sleeping. @returns false, and nothing done, for the last user. */
export function mmputFast(mm: MmStruct): boolean {
  if (mm.users <= 1) return false;
  mm.users--;
  mm.kernel.sched.access(mm.usersObject, false);
  return true;
}

/**
 * @kernel mm/mmap.c exit_mmap (without: the reaper's MMF_OOM_SKIP, commit accounting, hooks of the
 * architecture)
 */
function* exitMmap(mm: MmStruct): Task {
  yield* mmuNotifierRelease(mm);
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const vmas = mm.vmas.splice(0);
  mm.recentVma = undefined;
  if (mm.kernel.does.unmapDrainsLru) yield* lruAddDrainTask(mm.system);
  const tlb = new MmuGather(mm);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_UNMAP, 0, MAX_PAGE + 1) : undefined;
  for (const vma of vmas) yield* unmapPageRange(tlb, vma, vma.start, vma.end);
  yield* notifyEndStep(range);
  yield* freeVmaTables(mm, vmas, 0, Infinity);
  tlb.finish();
  for (const vma of vmas) closeVma(vma);
  mm.mmapLock.unlockWrite();
}
