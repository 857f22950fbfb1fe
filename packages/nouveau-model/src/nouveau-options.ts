import type { ClientExploration } from '@hmm/device/internal';
import type { Kernel } from '@hmm/kernel';
import {
  NOUVEAU_BEHAVIOURS,
  NOUVEAU_DEFECTS,
  type NouveauBehaviours,
  type NouveauDefect,
} from './nouveau-behaviours.js';
import type { NvkmChip } from './nvkm-device.js';
import type { FirmwareSource } from './nvkm-firmware.js';

/** What a nouveau is loaded with; every field has a default. */
export interface NouveauOptions {
  /** Which firmware images exist; all of them by default. */
  readonly firmware?: FirmwareSource;
  /** `nouveau.config=NvGspRm=1` on Turing and Ampere, which otherwise run without GSP-RM. */
  readonly gspRm?: boolean;
  /** `CONFIG_DRM_NOUVEAU_SVM`: off in a default build, but there would be nothing to model. */
  readonly configSvm?: boolean;
  /** Device memory for buffer objects, pages; the preset's by default. */
  readonly vramPages?: number;
  /** Defects that are mended: all, or by name; none by default. */
  readonly mended?: 'all' | readonly NouveauDefect[];
  /** Exactly the defects that it has, whatever the release; those of the release by default. */
  readonly defects?: readonly NouveauDefect[];
  /** Given where interleavings are explored: time is nothing then, and chunks of device memory are small. */
  readonly exploration?: ClientExploration | undefined;
}

/** What the driver of `kernel`'s release does when it is loaded with `options`. */
export function nouveauBehaviours(
  kernel: Kernel,
  { mended = [], defects }: NouveauOptions,
): NouveauBehaviours {
  const chosen: Partial<Record<NouveauDefect, boolean>> = {};
  if (defects !== undefined) for (const name of NOUVEAU_DEFECTS) chosen[name] = defects.includes(name);
  for (const name of mended === 'all' ? NOUVEAU_DEFECTS : mended) chosen[name] = false;
  return { ...kernel.behaviours(NOUVEAU_BEHAVIOURS), ...chosen };
}

/** Whether SVM_INIT works on a chip, and if not what stands in its way. */
export type SvmAvailability = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/**
 * Whether nouveau offers SVM on `chip`: on Pascal alone, and not where GSP-RM runs the GPU.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_init (without: buffers of faults that are not
 * replayable)
 */
export function nouveauSvmAvailable(chip: NvkmChip, options: NouveauOptions): SvmAvailability {
  if (options.configSvm === false) {
    return { ok: false, reason: 'this kernel is built without DRM_NOUVEAU_SVM' };
  }
  if (chip.faultBuffer === '') {
    return { ok: false, reason: `${chip.name} cannot replay a fault: replayable faults begin with Pascal` };
  }
  if (
    chip.boot === 'gsp' ||
    (options.gspRm === true && (chip.family === 'turing' || chip.family === 'ampere'))
  ) {
    return { ok: false, reason: `firmware GSP-RM owns the fault buffer of ${chip.name}` };
  }
  if (chip.family !== 'pascal') {
    return {
      ok: false,
      reason: `nouveau offers SVM up to Pascal only: it cannot recover a channel after a fault on ${chip.name}`,
    };
  }
  return { ok: true };
}

/** Copy classes that device memory can be filled with. */
const DMEM_COPY_CLASSES = ['PASCAL_DMA_COPY_A', 'PASCAL_DMA_COPY_B', 'VOLTA_DMA_COPY_A', 'TURING_DMA_COPY_A'];

/**
 * Whether device memory can be used for SVM on `chip`: Pascal and later, with a copy class that the driver knows.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_init (all)
 */
export function nouveauDmemAvailable(chip: NvkmChip): boolean {
  return DMEM_COPY_CLASSES.includes(chip.copyClass);
}
