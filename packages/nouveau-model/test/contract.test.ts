import { describe, expect, test } from 'vitest';
import { gpuPreset } from '@hmm/gpu';
import type { DeviceClient } from '@hmm/device';
import { contractCases } from '@hmm/machine/contract';
import { NouveauClient, type NouveauClientOptions } from '@hmm/nouveau-model';
import { type NouveauDefect } from '@hmm/nouveau-model/internal';

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

/** What the driver as it is breaks, and the defect to blame. */
const BROKEN: ReadonlyMap<string, NouveauDefect> = new Map([
  ['after close the CPU has every value, and the device can do nothing more', 'keepsFreedSvmm'],
]);

/** What is wrong with a case on a driver with `options`; a crash of the kernel counts. */
function verdict(name: string, options: NouveauClientOptions): string | undefined {
  const found = contractCases().find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case is called ${name}`);
  try {
    const broken = found.check(
      ({ kernel, memory }) => new NouveauClient(kernel, memory, gpuPreset('p100'), options),
    );
    return broken?.startsWith('skip:') === true ? undefined : broken;
  } catch (error) {
    return String(error);
  }
}

describe('nouveau as it is', () => {
  test.each(contractCases().map(({ name }) => name))('%s', (name) => {
    const blame = BROKEN.get(name);
    if (blame === undefined) expect(verdict(name, {})).toBeUndefined();
    else {
      expect(verdict(name, {})).toContain('the kernel crashes');
      expect(verdict(name, { mended: [blame] })).toBeUndefined();
    }
  });
});
