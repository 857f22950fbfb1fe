import { figure, GPU_PRESETS, gpuPreset, presetFigures } from '@hmm/gpu';
import { describe, expect, it } from 'vitest';

/** Paths of numbers under `value`: of figures, and of bare ones. */
function numbers(value: unknown, path: string, found: { figures: string[]; bare: string[] }): void {
  if (typeof value === 'number') found.bare.push(path);
  if (typeof value !== 'object' || value === null) return;
  if ('from' in value && 'note' in value && 'value' in value) {
    found.figures.push(path);
    expect(value.from, path).toMatch(/^(?:measured|vendor|paper|driver|estimate)$/);
    expect(Number.isFinite(value.value), path).toBe(true);
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    const name = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    numbers(inner, name, found);
  }
}

describe('every number of a preset says where it is from', () => {
  it.each(GPU_PRESETS.map((preset) => [preset.name, preset] as const))('%s', (_name, preset) => {
    const found = { figures: [] as string[], bare: [] as string[] };
    numbers(preset, '', found);
    expect(found.bare).toEqual([]);
    const listed = presetFigures(preset);
    expect(listed.map(({ name }) => name).sort()).toEqual(found.figures.sort());
    for (const { name, value } of listed) {
      const zero = /invalidateBatch|utlbFaults|faultBufferEntries|firstSms|sliceHash/.test(name);
      expect(value, name).toBeGreaterThanOrEqual(zero ? 0 : Number.MIN_VALUE);
    }
  });

  it('what is measured is of the recorded machine, its chip or its link', () => {
    for (const preset of GPU_PRESETS.filter(({ name }) => name !== 'h100')) {
      const measured = presetFigures(preset).filter(({ from }) => from === 'measured');
      for (const { note } of measured) expect(note, preset.name).toMatch(/on an H[12]00/);
    }
  });
});

const ARCHITECTURES = [
  ...['kepler', 'maxwell', 'pascal', 'volta', 'turing', 'ampere', 'ada', 'hopper', 'blackwell'],
] as const;

/** The generation from which on GPUs have something; it does not go away again. */
const SINCE = {
  replayableFaults: 'pascal',
  nonReplayableFaults: 'volta',
  preciseCancel: 'volta',
  prefetchFaults: 'volta',
  scopedAtomics: 'volta',
  accessCounters: 'volta',
  rangeInvalidate: 'volta',
} as const;

const generation = (architecture: string): number => ARCHITECTURES.findIndex((name) => name === architecture);

describe('what a generation brings', () => {
  it.each(GPU_PRESETS.map((preset) => [preset.name, preset] as const))('%s', (_name, preset) => {
    const { capability, architecture } = preset;
    const from = (since: string): boolean => generation(architecture) >= generation(since);
    for (const [what, since] of Object.entries(SINCE))
      expect([what, capability[what as keyof typeof SINCE]]).toEqual([what, from(since)]);
    expect(capability.interrupt).toBe(from('turing') ? 'pulse' : from('pascal') ? 'level' : 'none');
    expect(capability.vaBits.value).toBe(from('hopper') ? 57 : from('pascal') ? 49 : 40);
    expect(capability.confidentialComputing !== 'no').toBe(from('hopper') && capability.partitions);
    // Kepler's is older than its classes of names; Ada has Ampere's.
    const engines: Readonly<Record<string, string>> = { ada: 'ampere', kepler: 'kepler' };
    const engine = engines[architecture] ?? architecture;
    if (architecture !== 'kepler') expect(capability.copyEngine.toLowerCase().split('_')[0]).toBe(engine);
  });

  it('what the resource manager keeps leaves most addresses that fault to programs', () => {
    for (const { capability, name } of GPU_PRESETS.filter((preset) => preset.capability.replayableFaults)) {
      const all = 2 ** capability.vaBits.value;
      expect(capability.rmVaBytes.value, name).toBeLessThanOrEqual(all / 2);
      expect(Number.isInteger(Math.log2(capability.rmVaBytes.value)), name).toBe(true);
    }
  });

  it('pages are powers of two, the smallest the CPU has, the largest no less than in the generation before', () => {
    let largest = 0;
    for (const { capability, name } of [...GPU_PRESETS].sort(
      (a, b) => generation(a.architecture) - generation(b.architecture),
    )) {
      const sizes = capability.pageSizes.map(({ value }) => value);
      expect(sizes[0], name).toBe(4096);
      for (const size of sizes) expect(Number.isInteger(Math.log2(size)), name).toBe(true);
      expect(
        [...sizes].sort((a, b) => a - b),
        name,
      ).toEqual(sizes);
      expect(sizes.includes(2 * 1024 * 1024), name).toBe(capability.replayableFaults);
      if (capability.replayableFaults) largest = Math.max(largest, sizes.at(-1) ?? 0);
    }
    expect(largest).toBe(256 * 1024 ** 3);
  });

  it('the CPU and the GPU share page tables only where they come as one', () => {
    const shared = GPU_PRESETS.filter(({ capability }) => capability.ats).map(({ name }) => name);
    expect(shared.every((name) => name.startsWith('g'))).toBe(true);
    expect(shared.length).toBeGreaterThan(0);
  });

  it('there is a GPU of every generation', () => {
    expect([...new Set(GPU_PRESETS.map((p) => p.architecture))]).toEqual([...ARCHITECTURES]);
  });

  it('who cannot fault has no fault buffer', () => {
    for (const { capability, name } of GPU_PRESETS) {
      const { replayableFaults, faultBufferEntries, utlbFaults } = capability;
      expect([faultBufferEntries.value > 0, utlbFaults.value > 0], name).toEqual([
        replayableFaults,
        replayableFaults,
      ]);
    }
  });

  it('an unknown name is refused', () => {
    expect(() => gpuPreset('voodoo2')).toThrow(/no GPU is called voodoo2/);
    expect(figure(3, 'paper')).toEqual({ value: 3, from: 'paper', note: '' });
  });
});
