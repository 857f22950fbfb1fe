import { figure, type GpuCapability, GPU_PRESETS, gpuPreset, presetFigures } from '@hmm/gpu';
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
      for (const { note } of measured) expect(note, preset.name).toMatch(/on an H100/);
    }
  });
});

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SMALL = [4 * KIB, 64 * KIB];

type Row = readonly [string, number, readonly number[], number, number, Partial<GpuCapability>];

const NONE = {
  replayableFaults: false,
  nonReplayableFaults: false,
  preciseCancel: false,
  prefetchFaults: false,
  scopedAtomics: false,
  accessCounters: false,
  ats: false,
  rangeInvalidate: false,
  interrupt: 'none',
  partitions: false,
  confidentialComputing: 'no',
} as const;
const PASCAL = { ...NONE, replayableFaults: true, interrupt: 'level' } as const;
const VOLTA = {
  ...PASCAL,
  nonReplayableFaults: true,
  preciseCancel: true,
  prefetchFaults: true,
  scopedAtomics: true,
  accessCounters: true,
  rangeInvalidate: true,
} as const;
const TURING = { ...VOLTA, interrupt: 'pulse' } as const;
const AMPERE = { ...TURING, partitions: true } as const;
const HOPPER = { ...AMPERE, confidentialComputing: 'shared keys' } as const;
const BLACKWELL = { ...HOPPER, confidentialComputing: 'channel keys' } as const;

/** GPU, bits of an address, page sizes, addresses of the resource manager, entries of an invalidate, the rest. */
const ROWS: readonly Row[] = [
  ['k80', 40, [4 * KIB, 128 * KIB], 128 * GIB, 0, NONE],
  ['m40', 40, SMALL, 128 * GIB, 0, { ...NONE, copyEngine: 'MAXWELL_DMA_COPY_A' }],
  ['p100', 49, [...SMALL, 2 * MIB], 2 ** 47, 32, { ...PASCAL, copyEngine: 'PASCAL_DMA_COPY_A' }],
  ['v100', 49, [...SMALL, 2 * MIB], 2 ** 47, 8, { ...VOLTA, copyEngine: 'VOLTA_DMA_COPY_A' }],
  ['t4', 49, [...SMALL, 2 * MIB], 2 ** 47, 8, { ...TURING, copyEngine: 'TURING_DMA_COPY_A' }],
  ['a100', 49, [...SMALL, 2 * MIB, 512 * MIB], 2 ** 47, 8, { ...AMPERE, copyEngine: 'AMPERE_DMA_COPY_A' }],
  ['rtx4090', 49, [...SMALL, 2 * MIB, 512 * MIB], 2 ** 47, 8, { ...TURING, copyEngine: 'AMPERE_DMA_COPY_B' }],
  ['h100', 57, [...SMALL, 2 * MIB, 512 * MIB], 2 ** 56, 8, { ...HOPPER, copyEngine: 'HOPPER_DMA_COPY_A' }],
  ['gh200', 57, [...SMALL, 2 * MIB, 512 * MIB], 2 ** 56, 8, { ...HOPPER, ats: true }],
  [
    'b200',
    57,
    [...SMALL, 2 * MIB, 512 * MIB, 256 * GIB],
    2 ** 56,
    8,
    { ...BLACKWELL, copyEngine: 'BLACKWELL_DMA_COPY_A' },
  ],
  ['gb200', 57, [...SMALL, 2 * MIB, 512 * MIB, 256 * GIB], 2 ** 56, 8, { ...BLACKWELL, ats: true }],
  [
    'rtx5090',
    57,
    [...SMALL, 2 * MIB, 512 * MIB],
    2 ** 56,
    8,
    { ...TURING, copyEngine: 'BLACKWELL_DMA_COPY_B' },
  ],
];

describe('presets', () => {
  it.each(ROWS)('%s has what its architecture has', (name, vaBits, pages, rmVa, batch, rest) => {
    const { capability } = gpuPreset(name);
    expect(capability).toMatchObject(rest);
    expect(capability.vaBits.value).toBe(vaBits);
    expect(capability.pageSizes.map(({ value }) => value)).toEqual(pages);
    expect(capability.rmVaBytes.value).toBe(rmVa);
    expect(capability.invalidateBatch.value).toBe(batch);
  });

  it('there is one of every architecture, and a row for each', () => {
    const architectures = ['kepler', 'maxwell', 'pascal', 'volta', 'turing', 'ampere', 'ada', 'hopper'];
    expect([...new Set(GPU_PRESETS.map((p) => p.architecture))]).toEqual([...architectures, 'blackwell']);
    const known = GPU_PRESETS.map((p) => p.name).filter((name) => name !== 'p100-2016');
    expect(ROWS.map(([name]) => name)).toEqual(known);
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
