import { Kernel, type Release } from '@hmm/kernel';
import { describe, expect, test } from 'vitest';
import { gpuPreset } from '@hmm/gpu';
import { type NouveauOptions, nouveauSvmAvailable, nvkmChip, nvkmChipOf } from '@hmm/nouveau-model';
import { nouveauDmemAvailable, NOUVEAU_DEFECTS, nouveauBehaviours } from '@hmm/nouveau-model/internal';

const reason = (name: string, options = {}): string => {
  const chip = nvkmChip(name);
  if (chip === undefined) throw new Error(`no chip ${name}`);
  const available = nouveauSvmAvailable(chip, options);
  return available.ok ? 'yes' : available.reason;
};

describe('which GPUs get SVM (nouveau.md 1)', () => {
  test.each(['gp100', 'gp102', 'gp104', 'gp106', 'gp107', 'gp108'])('%s does: Pascal', (name) => {
    expect(reason(name)).toBe('yes');
  });

  test.each(['gk104', 'gk110', 'gm107', 'gm200'])('%s does not: it cannot replay a fault', (name) => {
    expect(reason(name)).toContain('replayable faults begin with Pascal');
  });

  test.each(['gv100', 'tu104', 'ga100'])('%s does not: no recovery of channels beyond Pascal', (name) => {
    expect(reason(name)).toContain('cannot recover a channel');
  });

  test.each(['ad102', 'gh100'])('%s does not: GSP-RM has the fault buffer', (name) => {
    expect(reason(name)).toContain('GSP-RM');
  });

  test('Turing and Ampere with NvGspRm=1 are refused for GSP-RM instead', () => {
    expect(reason('tu104', { gspRm: true })).toContain('GSP-RM');
    expect(reason('gp104', { gspRm: true })).toBe('yes');
  });

  test('a kernel without DRM_NOUVEAU_SVM has none at all', () => {
    expect(reason('gp104', { configSvm: false })).toContain('DRM_NOUVEAU_SVM');
  });
});

describe('device memory (nouveau.md 1)', () => {
  test.each([
    ['gm200', false],
    ['gp100', true],
    ['gp108', true],
    ['gv100', true],
    ['tu102', true],
    ['ga100', false],
  ])('%s: %s, by the class of its copy engine', (name, expected) => {
    const chip = nvkmChip(name);
    expect(chip !== undefined && nouveauDmemAvailable(chip)).toBe(expected);
  });
});

describe('chips', () => {
  test('every GPU preset has one, with its own name', () => {
    for (const name of ['k80', 'm40', 'p100', 'p100-2016', 'v100', 't4', 'a100']) {
      const preset = gpuPreset(name);
      const chip = nvkmChipOf(preset.chip, preset.architecture);
      expect(chip?.name).toBe(preset.chip.toLowerCase());
      expect(chip?.family).toBe(preset.architecture);
    }
  });
});

describe('releases and defects', () => {
  const defects = (release: Release, mended: NouveauOptions['mended']): string[] => {
    const does = nouveauBehaviours(new Kernel({ release }), mended === undefined ? {} : { mended });
    return NOUVEAU_DEFECTS.filter((name) => does[name]);
  };

  test('a driver has the defects of its release', () => {
    const differing = ['leaksOnCopyError', 'orderAsPageShift'];
    const lasting = NOUVEAU_DEFECTS.filter((name) => !differing.includes(name));
    expect(defects('6.1', undefined)).toEqual(NOUVEAU_DEFECTS.filter((name) => name !== 'orderAsPageShift'));
    expect(defects('6.12', undefined)).toEqual(lasting);
    expect(defects('7.3', undefined)).toEqual(NOUVEAU_DEFECTS.filter((name) => name !== 'leaksOnCopyError'));
  });

  test('those that are mended are not there', () => {
    expect(defects('6.12', 'all')).toEqual([]);
    expect(defects('6.12', ['stickyAtomic'])).not.toContain('stickyAtomic');
    expect(defects('6.12', ['stickyAtomic'])).toHaveLength(defects('6.12', undefined).length - 1);
  });
});
