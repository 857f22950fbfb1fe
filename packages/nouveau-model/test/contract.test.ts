import { describe, expect, test } from 'vitest';
import { gpuPreset } from '@hmm/gpu';
import type { DeviceClient } from '@hmm/device';
import { contractCases } from '@hmm/machine/contract';
import { NouveauClient, type NouveauClientOptions } from '@hmm/nouveau-model';

const VARIANTS: readonly [string, NouveauClientOptions][] = [
  ['nouveau with its defects mended', { mended: 'all' }],
  ['nouveau without room for a single chunk', { mended: 'all', vramPages: 256 }],
];

describe.each(VARIANTS)('%s keeps the contract of all clients', (_name, options) => {
  for (const { name, check } of contractCases()) {
    test(name, ({ skip }) => {
      const broken = check(({ kernel, memory }): DeviceClient => {
        return new NouveauClient(kernel, memory, gpuPreset('p100'), options);
      });
      if (broken?.startsWith('skip:') === true) skip(broken);
      expect(broken).toBeUndefined();
    });
  }
});
