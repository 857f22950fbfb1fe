import type { Release } from '@hmm/kernel';
import type { NvkmChip } from './nvkm-device.js';
import type { FirmwareSource } from './nvkm-firmware.js';

/**
 * Kernels whose nouveau can be modelled: 6.12 with the defects of {@link NouveauQuirks} mended, 6.1 with them, and 6.19,
 * which is 6.12 with huge pages in device memory.
 */
export const NOUVEAU_KERNELS = ['6.12', '6.1', '6.19'] as const;

/** One of {@link NOUVEAU_KERNELS}. */
export type NouveauKernel = (typeof NOUVEAU_KERNELS)[number];

/** Behaviours that are defects of the real driver, each by a name of its own. */
export interface NouveauQuirks {
  /** After one atomic fault, all later faults of the same work item take the atomic path, even reads. */
  readonly stickyAtomic: boolean;
  /** SVM_BIND maps also the slots that `migrate_vma_pages` refused: the GPU then uses freed device pages. */
  readonly mapsFailedSlots: boolean;
  /** SVM_BIND leaves the GPU's old mappings in place while it copies: a GPU store in between is lost. */
  readonly keepsSourceMappings: boolean;
  /** A copy home that the engine fails silently shows the process what the frame held before, not zeroes. */
  readonly leaksOnCopyError: boolean;
  /**
   * An atomic that has to be retried takes the taking back of its own exclusive entry for another change of the
   * address space, for a second; then the channel is killed. So does each atomic on a page in device memory, since
   * bringing that home is such a change.
   */
  readonly livelocksOnExclusive: boolean;
}

const NO_QUIRKS: NouveauQuirks = {
  stickyAtomic: false,
  mapsFailedSlots: false,
  keepsSourceMappings: false,
  leaksOnCopyError: false,
  livelocksOnExclusive: false,
};

/** The defects that `kernel` has unless told otherwise. */
export function nouveauQuirks(kernel: Release): NouveauQuirks {
  if (kernel !== '6.1') return NO_QUIRKS;
  return {
    stickyAtomic: true,
    mapsFailedSlots: true,
    keepsSourceMappings: true,
    leaksOnCopyError: true,
    livelocksOnExclusive: true,
  };
}

/** What a nouveau is loaded with; every field has a default. */
export interface NouveauOptions {
  /** Whose nouveau it is: by default that of the core it is loaded into. Device memory in huge pages needs a core that has them. */
  readonly kernel?: NouveauKernel;
  /** Which firmware images exist; all of them by default. */
  readonly firmware?: FirmwareSource;
  /** `nouveau.config=NvGspRm=1` on Turing and Ampere, which otherwise run without GSP-RM. */
  readonly gspRm?: boolean;
  /** `CONFIG_DRM_NOUVEAU_SVM`: off in a default build, but there would be nothing to model. */
  readonly configSvm?: boolean;
  /** Device memory for buffer objects, pages; the preset's by default. */
  readonly vramPages?: number;
  /** Switches single defects on or off. */
  readonly quirks?: Partial<NouveauQuirks>;
}

/** Whether SVM_INIT works on a chip, and if not what stands in its way. */
export type SvmAvailability = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/**
 * Whether nouveau offers SVM on `chip`: on Pascal alone, and not where GSP-RM runs the GPU.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_init
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
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_init
 */
export function nouveauDmemAvailable(chip: NvkmChip): boolean {
  return DMEM_COPY_CLASSES.includes(chip.copyClass);
}
