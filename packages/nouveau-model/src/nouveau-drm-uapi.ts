import { EINVAL, PAGE_SIZE } from '@hmm/kernel';

/** `DRM_NOUVEAU_SVM_INIT`, number of the ioctl. */
export const DRM_NOUVEAU_SVM_INIT = 0x08;
/** `DRM_NOUVEAU_SVM_BIND`, number of the ioctl. */
export const DRM_NOUVEAU_SVM_BIND = 0x09;

export const NOUVEAU_SVM_BIND_COMMAND_SHIFT = 0;
export const NOUVEAU_SVM_BIND_COMMAND_BITS = 8;
export const NOUVEAU_SVM_BIND_PRIORITY_SHIFT = 8;
export const NOUVEAU_SVM_BIND_PRIORITY_BITS = 8;
export const NOUVEAU_SVM_BIND_TARGET_SHIFT = 16;
export const NOUVEAU_SVM_BIND_TARGET_BITS = 32;
/** The only command: migrate. */
export const NOUVEAU_SVM_BIND_COMMAND__MIGRATE = 0;
/** The only target: the memory of the GPU. Bit 31 of the target field. */
export const NOUVEAU_SVM_BIND_TARGET__GPU_VRAM = 2 ** 31;

/** Bits 0 … 47 of the header mean something. */
const VALID_HEADER = 2 ** 48;

/** Arguments of SVM_INIT. Addresses and sizes in bytes. @kernel include/uapi/drm/nouveau_drm.h drm_nouveau_svm_init */
export interface DrmNouveauSvmInit {
  /** Start of the interval that stays for classic buffer objects. */
  readonly unmanagedAddr: number;
  readonly unmanagedSize: number;
}

/** Arguments of SVM_BIND. @kernel include/uapi/drm/nouveau_drm.h drm_nouveau_svm_bind */
export interface DrmNouveauSvmBind {
  /** 64 bits of which 48 are defined, as a non-negative integer; see {@link svmBindHeader}. */
  readonly header: number;
  /** First byte; rounded down to a page. */
  readonly vaStart: number;
  /** One past the last byte; rounded up to a page. */
  readonly vaEnd: number;
  /** Ignored. */
  readonly npages: number;
  readonly stride: number;
  /** Written by the driver: always 0, whatever moved. */
  result: number;
  readonly reserved0: number;
  readonly reserved1: number;
}

/** The header of an SVM_BIND. `priority` is accepted and ignored. */
export function svmBindHeader(command: number, priority: number, target: number): number {
  return (
    command * 2 ** NOUVEAU_SVM_BIND_COMMAND_SHIFT +
    priority * 2 ** NOUVEAU_SVM_BIND_PRIORITY_SHIFT +
    target * 2 ** NOUVEAU_SVM_BIND_TARGET_SHIFT
  );
}

/** A whole range of pages to be migrated to the memory of the GPU. */
export function svmBindMigrate(vpn: number, pages: number): DrmNouveauSvmBind {
  return {
    header: svmBindHeader(NOUVEAU_SVM_BIND_COMMAND__MIGRATE, 0, NOUVEAU_SVM_BIND_TARGET__GPU_VRAM),
    vaStart: vpn * PAGE_SIZE,
    vaEnd: (vpn + pages) * PAGE_SIZE,
    npages: pages,
    stride: 0,
    result: 0,
    reserved0: 0,
    reserved1: 0,
  };
}

const field = (header: number, shift: number, bits: number): number =>
  Math.floor(header / 2 ** shift) % 2 ** bits;

/**
 * Checks the arguments of SVM_BIND. 0 or `-EINVAL`.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_bind (all)
 */
export function svmBindCheck(args: DrmNouveauSvmBind): number {
  const { header } = args;
  if (args.reserved0 !== 0 || args.reserved1 !== 0) return -EINVAL;
  if (header < 0 || header >= VALID_HEADER) return -EINVAL;
  if (Math.floor(args.vaStart / PAGE_SIZE) >= Math.ceil(args.vaEnd / PAGE_SIZE)) return -EINVAL;
  const command = field(header, NOUVEAU_SVM_BIND_COMMAND_SHIFT, NOUVEAU_SVM_BIND_COMMAND_BITS);
  if (command !== NOUVEAU_SVM_BIND_COMMAND__MIGRATE) return -EINVAL;
  const target = field(header, NOUVEAU_SVM_BIND_TARGET_SHIFT, NOUVEAU_SVM_BIND_TARGET_BITS);
  if (target !== NOUVEAU_SVM_BIND_TARGET__GPU_VRAM) return -EINVAL;
  if (args.stride !== 0) return -EINVAL;
  return 0;
}
