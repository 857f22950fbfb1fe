import type { NvkmChip } from './nvkm-device.js';

/** A unit of the GPU that needs images. */
export type FirmwareUnit = 'acr' | 'gr' | 'fb' | 'sec2' | 'gsp';

/** An image, by the path that the driver asks the kernel for. */
export interface FirmwareFile {
  /** Relative to the firmware directory: `nvidia/gp104/gr/fecs_bl.bin`. */
  readonly path: string;
  readonly unit: FirmwareUnit;
}

/** Whether the image at a path (relative to the firmware directory) is there: what `request_firmware` answers. */
export type FirmwareSource = (path: string) => boolean;

/** Version of the GSP-RM image that Linux 6.12 asks for. */
const GSP_VERSION = '535.113.01';

const GR = [
  'fecs_bl',
  'fecs_inst',
  'fecs_data',
  'fecs_sig',
  'gpccs_bl',
  'gpccs_inst',
  'gpccs_data',
  'gpccs_sig',
  'sw_ctx',
  'sw_nonctx',
  'sw_bundle_init',
  'sw_method_init',
] as const;

/** Ampere has what the two boot loaders start, and its tables, in one image. */
const GR_AMPERE = ['fecs_bl', 'fecs_sig', 'gpccs_bl', 'gpccs_sig', 'NET_img'] as const;

const SEC2 = ['desc', 'image', 'sig'] as const;

/** The secure-boot images: PMU starts the falcons up to GP100, SEC2 from GP102 on. */
function acrNames(chip: NvkmChip): readonly string[] {
  switch (chip.family) {
    case 'turing':
      return ['bl', 'unload_bl', 'ucode_unload', 'ucode_ahesasc', 'ucode_asb'];
    case 'ampere':
      return ['ucode_unload', 'ucode_ahesasc', 'ucode_asb'];
    case 'maxwell':
      return ['bl', 'ucode_load', 'ucode_unload'];
    default:
      return chip.name === 'gp100'
        ? ['bl', 'ucode_load', 'ucode_unload']
        : ['bl', 'unload_bl', 'ucode_load', 'ucode_unload'];
  }
}

/**
 * The images that `chip` needs before a channel on its graphics engine can be made; none where nouveau brings its
 * own code. @kernel nvkm/subdev/acr/gm200.c
 */
export function nvkmFirmwareFiles(chip: NvkmChip): FirmwareFile[] {
  const of = (unit: FirmwareUnit, folder: string, names: readonly string[]): FirmwareFile[] =>
    names.map((name) => ({ unit, path: `nvidia/${chip.name}/${folder}/${name}.bin` }));
  switch (chip.boot) {
    case 'own':
      return [];
    case 'gsp':
      return of(
        'gsp',
        'gsp',
        ['booter_load', 'booter_unload', 'bootloader', 'gsp'].map((name) => `${name}-${GSP_VERSION}`),
      );
    case 'signed': {
      const ampere = chip.family === 'ampere';
      const files = [...of('acr', 'acr', acrNames(chip)), ...of('gr', 'gr', ampere ? GR_AMPERE : GR)];
      if (chip.family === 'maxwell' || chip.name === 'gp100') return files;
      const sec2 = of('sec2', 'sec2', ampere ? [...SEC2, 'hs_bl_sig'] : SEC2);
      return [...files, ...of('fb', 'nvdec', ['scrubber']), ...sec2];
    }
  }
}

/** The answer of {@link nvkmFirmwareLoad}. */
export interface FirmwareResult {
  /** Images that are not there, in the order in which they were asked for. */
  readonly missing: readonly string[];
  /** Lines for the kernel log, without the device's prefix. */
  readonly log: readonly string[];
}

/**
 * Looks for the images of `chip`. A unit of which one is missing says so once and is left out; the driver goes on
 * with the display, but no channel on the graphics engine can be made. The VPR scrubber's absence is noticed only
 * when it has to run.
 * @kernel nvkm/core/firmware.c nvkm_firmware_get (without: the images' contents, versions)
 */
export function nvkmFirmwareLoad(chip: NvkmChip, has: FirmwareSource): FirmwareResult {
  const files = nvkmFirmwareFiles(chip);
  const missing = files.filter((file) => !has(file.path));
  const log: string[] = [];
  for (const unit of new Set(missing.map((file) => file.unit))) {
    if (unit === 'fb') log.push('fb: VPR locked, but no scrubber binary!');
    else if (unit === 'gr' && chip.name === 'gp108') log.push('gr: failed to load firmware');
    else log.push(`${unit}: firmware unavailable`);
  }
  if (missing.length > 0) log.push('DRM: failed to create kernel channel, -22');
  return { missing: missing.map((file) => file.path), log };
}
