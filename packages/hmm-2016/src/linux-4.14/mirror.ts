import { EINVAL, HmmError, type Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import { mmuNotifierUnregister } from '@hmm/mmu-notifier';
import { mmuNotifierRegisterLocked } from '@hmm/mmu-notifier/internal';
import { hmmRegister, type HmmCore, type HmmMirror } from '../hmm.js';
import { hmmMmuNotifierOps } from './invalidate.js';

/**
 * Registers a mirror. The caller holds mmap_sem for writing.
 * @returns 0; `-EINVAL`: the address space has no users any more.
 * @throws HmmError `LOCK_NOT_HELD` without mmap_sem. @kernel 4.14 mm/hmm.c hmm_mirror_register (without: -ENOMEM)
 */
export function hmmMirrorRegister(core: HmmCore, mirror: HmmMirror, mm: MmStruct): number {
  if (mm.mmapLock.writer < 0)
    throw new HmmError('LOCK_NOT_HELD', 'hmm_mirror_register is called without mmap_sem held for writing');
  const hmm = hmmRegister(core, mm, hmmMmuNotifierOps);
  if (!hmm.registered) {
    if (mmuNotifierRegisterLocked(hmm, mm) !== 0) return -EINVAL;
    hmm.registered = true;
  }
  mirror.hmm = hmm;
  hmm.mirrors.unshift(mirror);
  return 0;
}

/**
 * Ends a mirror: takes it off the list. The notifier, and what HMM keeps of the address space, stay.
 * @kernel 4.14 mm/hmm.c hmm_mirror_unregister (without: the rwsem of the mirrors)
 */
export function* hmmMirrorUnregister(mirror: HmmMirror): Task {
  const { hmm } = mirror;
  if (hmm === undefined) return;
  const { core, space } = hmm;
  core.touch();
  const at = hmm.mirrors.indexOf(mirror);
  if (at >= 0) hmm.mirrors.splice(at, 1);
  mirror.hmm = undefined;
  if (core.does.mmNeverFreed || hmm.mirrors.length > 0) return;
  hmm.registered = false;
  core.hmms[space.id] = undefined;
  yield* mmuNotifierUnregister(hmm, space);
}
