import { EINVAL, type Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import { mmuNotifierRegister, mmuNotifierUnregister } from '@hmm/mmu-notifier';
import { hmmRegister, type HmmCore, type HmmMirror } from '../hmm.js';
import { hmmMmuNotifierOps } from './invalidate.js';

/**
 * Registers a mirror. Takes mmap_sem for writing itself: the caller must not hold it. The first mirror of an address space
 * registers its one notifier.
 * @returns 0; `-EINVAL`: the address space has no users any more. @v13 patch 9 hmm_mirror_register (without: -ENOMEM)
 */
export function* hmmMirrorRegister(core: HmmCore, mirror: HmmMirror, mm: MmStruct): Task<number> {
  const hmm = hmmRegister(core, mm, hmmMmuNotifierOps);
  if (!hmm.registered) {
    const ret = yield* mmuNotifierRegister(hmm, mm);
    if (ret !== 0) return -EINVAL;
    hmm.registered = true;
  }
  core.touch();
  mirror.hmm = hmm;
  hmm.lock.lock();
  hmm.mirrors.unshift(mirror);
  hmm.lock.unlock();
  return 0;
}

/**
 * Ends a mirror: takes it off the list, which invalidations walk without a lock, and waits until none of the address space runs,
 * also none that has nothing to do with it. There is no promise that this comes to an end. @v13 patch 9 hmm_mirror_unregister (all)
 */
export function* hmmMirrorUnregister(mirror: HmmMirror): Task {
  const { hmm } = mirror;
  if (hmm === undefined) return;
  const { core, space } = hmm;
  core.touch();
  hmm.lock.lock();
  const at = hmm.mirrors.indexOf(mirror);
  if (at >= 0) hmm.mirrors.splice(at, 1);
  hmm.lock.unlock();
  while (hmm.notifierCount !== 0) {
    yield* space.kernel.sched.block(hmm.channel);
    core.touch();
  }
  mirror.hmm = undefined;
  if (core.does.mmNeverFreed || hmm.mirrors.length > 0) return;
  hmm.registered = false;
  core.hmms[space.id] = undefined;
  yield* mmuNotifierUnregister(hmm, space);
}
