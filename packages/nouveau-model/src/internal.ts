// What the packages beside this one use and no version promises anything about. Everything else comes from index.ts.
export { GpuNvifDevice } from './gpu-nvif-device.js';
export { NOUVEAU_BEHAVIOURS, NOUVEAU_DEFECTS, type NouveauDefect } from './nouveau-behaviours.js';
export { NouveauChannel, nouveauChannelDel, nouveauChannelNew } from './nouveau-chan.js';
export { NouveauDmem } from './nouveau-dmem.js';
export {
  NOUVEAU_SVM_BIND_TARGET__GPU_VRAM,
  svmBindCheck,
  svmBindHeader,
  svmBindMigrate,
  type DrmNouveauSvmBind,
} from './nouveau-drm-uapi.js';
export { NouveauDrm } from './nouveau-drv.js';
export type { FirmwareDirectories } from './nouveau-factory.js';
export { nouveauBehaviours, nouveauDmemAvailable } from './nouveau-options.js';
export { nouveauSvmmBind } from './nouveau-svm-bind.js';
export type { NouveauSvmFault } from './nouveau-svm-fault-record.js';
export { nouveauSvmFault, nouveauSvmFaultCmp } from './nouveau-svm-fault.js';
export { NouveauCli, nouveauSvmmInit } from './nouveau-svmm.js';
export { nvkmFirmwareLoad } from './nvkm-firmware.js';
export { NvkmVmm } from './nvkm-vmm.js';
