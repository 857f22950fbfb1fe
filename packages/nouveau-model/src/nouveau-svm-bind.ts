import { EINVAL, PAGE_SIZE, type Task } from '@hmm/kernel';
import { type MmStruct } from '@hmm/mm';
import { findVmaIntersection } from '@hmm/mm/internal';
import { nouveauDmemMigrateVma } from './nouveau-dmem-migrate.js';
import { svmBindCheck, type DrmNouveauSvmBind } from './nouveau-drm-uapi.js';
import type { NouveauCli } from './nouveau-svmm.js';

/**
 * The ioctl SVM_BIND: moves what can be moved of a range to the GPU's memory, VMA by VMA. Holes are stepped over
 * and failures passed over in silence; `result` is 0 whatever happened. There is no way back but the CPU's faults.
 * The memory is that of the process that calls, `mm`; the GPU's address space is the client's, whoever it mirrors.
 * @returns 0, or `-EINVAL` for arguments that mean nothing, an exiting process, or a client without a mirror.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_bind (all)
 */
export function* nouveauSvmmBind(cli: NouveauCli, mm: MmStruct, args: DrmNouveauSvmBind): Task<number> {
  const bad = svmBindCheck(args);
  if (bad !== 0) return bad;
  const { svmm } = cli;
  if (mm.users <= 0 || svmm === undefined) return -EINVAL;
  if (mm !== svmm.mm && !cli.drm.does.bindsForCaller) return -EINVAL;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const end = Math.ceil(args.vaEnd / PAGE_SIZE);
  for (let at = Math.floor(args.vaStart / PAGE_SIZE); at < end;) {
    const vma = findVmaIntersection(mm, at, end);
    if (vma === undefined) break;
    const start = Math.max(at, vma.start);
    const next = Math.min(vma.end, end);
    yield* nouveauDmemMigrateVma(svmm, vma, start, next);
    at = next;
  }
  args.result = 0;
  mm.mmapLock.unlockRead();
  return 0;
}
