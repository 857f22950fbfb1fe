export { NouveauClient, type NouveauClientOptions } from './nouveau-client.js';
export { nouveauFactory } from './nouveau-factory.js';
export { nouveauSvmAvailable, type NouveauOptions, type SvmAvailability } from './nouveau-options.js';
export { NouveauProcess } from './nouveau-process.js';
export { NVKM_CHIPS, nvkmChip, nvkmChipOf, type NvkmChip } from './nvkm-device.js';
export {
  nvkmFirmwareFiles,
  type FirmwareFile,
  type FirmwareSource,
  type FirmwareUnit,
} from './nvkm-firmware.js';
