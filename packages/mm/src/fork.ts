import { ENOMEM, type Task } from '@hmm/kernel';
import { anonVmaFork } from './anon-vma.js';
import { copyPageRange } from './copy-page-range.js';
import { mmput } from './exit-mmap.js';
import { mmAlloc } from './mm-alloc.js';
import type { MmStruct } from './mm-struct.js';
import { userfaultfdResetCtx } from './userfaultfd.js';
import { vmaSetInsert } from './vma-set.js';
import { insertAfter } from './vma-tree.js';
import { VM_DONTCOPY, VM_LOCKED, VM_WIPEONFORK, type Vma } from './vma.js';

/**
 * fork's copy of an address space: private memory is shared until one side writes, shared memory stays shared.
 * Subscriptions to notifiers are not inherited.
 * @returns the child's, or `-ENOMEM`; the parent is as before then, but for write permissions that come back by faults.
 * @kernel kernel/fork.c dup_mm (without: high-water marks, the binary format, the context of the
 * architecture)
 */
export function* dupMm(parent: MmStruct): Task<MmStruct | number> {
  const child = mmAlloc(parent.system);
  if (child === null) return -ENOMEM;
  const ret = yield* dupMmap(child, parent);
  if (ret === 0) return child;
  yield* mmput(child);
  return ret;
}

/**
 * @kernel kernel/fork.c dup_mmap (without: commit limits, NUMA policies, userfaultfd's messages, KSM, khugepaged,
 * uprobes, pending signals)
 */
function* dupMmap(child: MmStruct, parent: MmStruct): Task<number> {
  if (!parent.mmapLock.tryWriteFast()) yield* parent.mmapLock.write();
  const ret = yield* dupVmas(child, parent);
  parent.mmapLock.unlockWrite();
  return ret;
}

function* dupVmas(child: MmStruct, parent: MmStruct): Task<number> {
  child.mmapBase = parent.mmapBase;
  for (const vma of parent.vmas) {
    if ((vma.flags & VM_DONTCOPY) !== 0) continue;
    if (parent.kernel.shouldFail('dup_vma')) return -ENOMEM;
    const copy = yield* dupVma(child, vma);
    if ((vma.flags & VM_WIPEONFORK) !== 0) continue;
    const ret = yield* copyPageRange(copy, vma);
    if (ret !== 0) return ret;
  }
  return 0;
}

function* dupVma(child: MmStruct, vma: Vma): Task<Vma> {
  const copy = vma.copy(child, vma.start, vma.end);
  copy.flags &= ~VM_LOCKED;
  if (copy.uffd !== null) userfaultfdResetCtx(copy);
  if ((vma.flags & VM_WIPEONFORK) === 0) yield* anonVmaFork(copy, vma);
  const { file } = vma;
  if (file !== null) {
    file.users++;
    if (!file.rwsem.tryWriteFast()) yield* file.rwsem.write();
    insertAfter(file.tree, copy, vma);
    file.rwsem.unlockWrite();
  }
  vmaSetInsert(copy);
  return copy;
}
