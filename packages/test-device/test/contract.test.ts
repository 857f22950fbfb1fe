import { describe, expect, test } from 'vitest';
import type { DeviceClient } from '@hmm/device';
import { contractCases } from '@hmm/machine/contract';
import { TestDeviceClient } from '@hmm/test-device';

describe.each([
  ['private', 0],
  ['coherent', 2],
])('the test device with %s memory keeps the contract of clients', (_kind, minor) => {
  for (const { name, check } of contractCases()) {
    test(name, ({ skip }) => {
      const broken = check(({ kernel, memory }): DeviceClient => {
        return new TestDeviceClient(kernel, memory, minor, {
          chunkPages: 512,
          maxTables: 256,
          corrected: true,
        });
      });
      if (broken?.startsWith('skip:') === true) skip(broken);
      expect(broken).toBeUndefined();
    });
  }
});
