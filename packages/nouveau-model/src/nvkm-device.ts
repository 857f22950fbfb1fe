/**
 * The chips that nouveau knows, and what decides SVM on them: the family, the fault buffer and the copy class.
 *
 * @packageDocumentation
 */

/** GPU families in the order of their appearance, as `NV_DEVICE_INFO_V0_*` counts them. */
export const NV_FAMILIES = [
  'kepler',
  'maxwell',
  'pascal',
  'volta',
  'turing',
  'ampere',
  'ada',
  'hopper',
  'blackwell',
] as const;

/** A GPU family. */
export type NvFamily = (typeof NV_FAMILIES)[number];

/** Who starts the graphics engine's own processors: nobody but nouveau, signed images, or the GSP firmware. */
export type NvBoot = 'own' | 'signed' | 'gsp';

/** A chip, as far as SVM depends on it. @kernel drivers/gpu/drm/nouveau/include/nvkm/core/device.h nvkm_device_chip */
export interface NvkmChip {
  /** Lower case, as in the paths of firmware images: `gp104`. */
  readonly name: string;
  readonly family: NvFamily;
  readonly boot: NvBoot;
  /** Class of the fault buffer, empty without one. */
  readonly faultBuffer: '' | 'MAXWELL_FAULT_BUFFER_A' | 'VOLTA_FAULT_BUFFER_A';
  /** Index of the replayable buffer that SVM uses; the others are nvkm's own. */
  readonly replayableBuffer: 0 | 1;
  /** Class of the copy engine. */
  readonly copyClass: string;
}

function chips(
  names: string,
  family: NvFamily,
  boot: NvBoot,
  copyClass: string,
  faultBuffer: NvkmChip['faultBuffer'] = '',
): NvkmChip[] {
  const replayableBuffer = faultBuffer === 'VOLTA_FAULT_BUFFER_A' ? 1 : 0;
  return names.split(' ').map((name) => ({ name, family, boot, faultBuffer, replayableBuffer, copyClass }));
}

/** All chips. */
export const NVKM_CHIPS: readonly NvkmChip[] = [
  ...chips('gk104 gk106 gk107 gk110 gk208', 'kepler', 'own', 'KEPLER_DMA_COPY_A'),
  ...chips('gm107 gm108', 'maxwell', 'own', 'KEPLER_DMA_COPY_A'),
  ...chips('gm200 gm204 gm206', 'maxwell', 'signed', 'MAXWELL_DMA_COPY_A'),
  ...chips('gp100', 'pascal', 'signed', 'PASCAL_DMA_COPY_A', 'MAXWELL_FAULT_BUFFER_A'),
  ...chips(
    'gp102 gp104 gp106 gp107 gp108',
    'pascal',
    'signed',
    'PASCAL_DMA_COPY_B',
    'MAXWELL_FAULT_BUFFER_A',
  ),
  ...chips('gv100', 'volta', 'signed', 'VOLTA_DMA_COPY_A', 'VOLTA_FAULT_BUFFER_A'),
  ...chips('tu102 tu104 tu106 tu116 tu117', 'turing', 'signed', 'TURING_DMA_COPY_A', 'VOLTA_FAULT_BUFFER_A'),
  ...chips(
    'ga100 ga102 ga103 ga104 ga106 ga107',
    'ampere',
    'signed',
    'AMPERE_DMA_COPY_A',
    'VOLTA_FAULT_BUFFER_A',
  ),
  ...chips('ad102 ad103 ad104 ad106 ad107', 'ada', 'gsp', 'AMPERE_DMA_COPY_A', 'VOLTA_FAULT_BUFFER_A'),
  ...chips('gh100', 'hopper', 'gsp', 'HOPPER_DMA_COPY_A', 'VOLTA_FAULT_BUFFER_A'),
  ...chips(
    'gb100 gb202 gb203 gb205 gb206 gb207',
    'blackwell',
    'gsp',
    'BLACKWELL_DMA_COPY_A',
    'VOLTA_FAULT_BUFFER_A',
  ),
];

/** The chip called `name` in any case, or undefined. */
export function nvkmChip(name: string): NvkmChip | undefined {
  const lower = name.toLowerCase();
  return NVKM_CHIPS.find((chip) => chip.name === lower);
}

/**
 * The chip of a GPU: the one called `name`, or, for a chip that this table lacks, the first of its family under that
 * name. All chips of a family behave alike as far as SVM goes.
 */
export function nvkmChipOf(name: string, family: NvFamily): NvkmChip | undefined {
  const known = nvkmChip(name);
  if (known !== undefined) return known;
  const first = NVKM_CHIPS.find((chip) => chip.family === family);
  return first === undefined ? undefined : { ...first, name: name.toLowerCase() };
}
