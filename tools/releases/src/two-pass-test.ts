import { HmmError, Kernel, type Release, type Task } from '@hmm/kernel';
import { MAP_ANONYMOUS, MAP_PRIVATE, MemorySystem, mmCreate, PROT_READ, sysMmap, sysMunmap } from '@hmm/mm';
import { type MmuIntervalNotifierOps, mmuIntervalNotifierInsert, mmuIntervalSetSeq } from '@hmm/mmu-notifier';

const PAGE = 4096;

/** What two subscribers of two passes see of a munmap, in order; or the error of the subscription. */
export function passesOfMunmap(release: Release, flipped: readonly string[]): object {
  const kernel = new Kernel({ release, flipped });
  const mm = mmCreate(new MemorySystem(kernel, { frames: 4096, systemFrames: 4096, maxTables: 16 }));
  const seen: string[] = [];
  const ops = (name: string): MmuIntervalNotifierOps => ({
    invalidate: () => true,
    invalidateStart(notifier, _range, seq) {
      mmuIntervalSetSeq(notifier, seq);
      seen.push(`${name} begins`);
      return { notifier };
    },
    invalidateFinish() {
      seen.push(`${name} has let go`);
      return undefined;
    },
  });
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  run(sysMmap(mm, PAGE, 4, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS));
  try {
    for (const name of ['one', 'other']) run(mmuIntervalNotifierInsert(mm, PAGE, 4, ops(name)));
  } catch (error) {
    if (!(error instanceof HmmError)) throw error;
    return { error: error.code };
  }
  run(sysMunmap(mm, PAGE, 4));
  return { seen };
}
