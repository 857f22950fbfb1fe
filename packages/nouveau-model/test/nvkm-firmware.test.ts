import { describe, expect, test } from 'vitest';
import { NVKM_CHIPS, nvkmChip, nvkmFirmwareFiles, type NvkmChip } from '@hmm/nouveau-model';
import { nvkmFirmwareLoad } from '@hmm/nouveau-model/internal';

const chip = (name: string): NvkmChip => {
  const found = nvkmChip(name);
  if (found === undefined) throw new Error(`no chip ${name}`);
  return found;
};
const paths = (name: string): string[] => nvkmFirmwareFiles(chip(name)).map((file) => file.path);

describe('firmware (nouveau.md 10)', () => {
  test('Kepler and first Maxwell need no image: nouveau brings its own code', () => {
    expect(paths('gk104')).toEqual([]);
    expect(paths('gm107')).toEqual([]);
  });

  test('second Maxwell and GP100 need 12 graphics images and 3 of the secure boot by PMU', () => {
    for (const name of ['gm200', 'gm204', 'gm206', 'gp100']) {
      const files = paths(name);
      expect(files).toHaveLength(15);
      expect(files).toContain(`nvidia/${name}/gr/fecs_sig.bin`);
      expect(files).toContain(`nvidia/${name}/acr/ucode_unload.bin`);
      expect(files.some((path) => path.includes('sec2'))).toBe(false);
    }
  });

  test('GP102 and later Pascal boot by SEC2: its images, an unload loader and the VPR scrubber as well', () => {
    for (const name of ['gp102', 'gp104', 'gp106', 'gp107', 'gp108']) {
      const files = paths(name);
      expect(files).toHaveLength(20);
      expect(files).toContain(`nvidia/${name}/acr/unload_bl.bin`);
      expect(files).toContain(`nvidia/${name}/sec2/image.bin`);
      expect(files).toContain(`nvidia/${name}/nvdec/scrubber.bin`);
    }
  });

  test('Volta and Turing are as later Pascal, Turing with other loaders; Ampere has one graphics image and a signed SEC2 loader', () => {
    expect(paths('gv100')).toHaveLength(20);
    expect(paths('tu102')).toContain('nvidia/tu102/acr/ucode_ahesasc.bin');
    const files = paths('ga102');
    expect(files).toHaveLength(13);
    for (const name of ['acr/ucode_asb', 'gr/NET_img', 'nvdec/scrubber', 'sec2/hs_bl_sig'])
      expect(files).toContain(`nvidia/ga102/${name}.bin`);
    expect(files.some((path) => path.includes('fecs_inst') || path.includes('acr/bl'))).toBe(false);
  });

  test('Ada and Hopper run on GSP-RM: its images replace all others', () => {
    for (const name of ['ad102', 'gh100']) {
      expect(paths(name).every((path) => path.startsWith(`nvidia/${name}/gsp/`))).toBe(true);
      expect(paths(name)).toContain(`nvidia/${name}/gsp/gsp-535.113.01.bin`);
    }
  });

  test('every image of every chip lies in its own folder, and none is asked for twice', () => {
    for (const one of NVKM_CHIPS) {
      const files = paths(one.name);
      expect(new Set(files).size).toBe(files.length);
      expect(files.every((path) => path.startsWith(`nvidia/${one.name}/`) && path.endsWith('.bin'))).toBe(
        true,
      );
    }
  });

  test('with all images there is nothing to say', () => {
    expect(nvkmFirmwareLoad(chip('gp104'), () => true)).toEqual({ missing: [], log: [] });
  });

  test('without images each unit says so once, and the kernel channel cannot be made', () => {
    const { missing, log } = nvkmFirmwareLoad(chip('gp104'), () => false);
    expect(missing).toEqual(paths('gp104'));
    expect(log).toEqual([
      'acr: firmware unavailable',
      'gr: firmware unavailable',
      'fb: VPR locked, but no scrubber binary!',
      'sec2: firmware unavailable',
      'DRM: failed to create kernel channel, -22',
    ]);
  });

  test('one missing image is enough', () => {
    const { missing, log } = nvkmFirmwareLoad(chip('gp100'), (path) => !path.endsWith('gr/gpccs_sig.bin'));
    expect(missing).toEqual(['nvidia/gp100/gr/gpccs_sig.bin']);
    expect(log).toEqual(['gr: firmware unavailable', 'DRM: failed to create kernel channel, -22']);
  });
});
