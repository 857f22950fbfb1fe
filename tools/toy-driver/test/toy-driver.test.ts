import { describe, expect, test } from 'vitest';
import { contractCases } from '@hmm/machine/contract';
import { ToyClient } from '@hmm/toy-driver';

describe('a driver of one file keeps the contract of all clients', () => {
  for (const { name, check } of contractCases()) {
    test(name, ({ skip }) => {
      const broken = check(({ kernel }) => new ToyClient(kernel));
      if (broken?.startsWith('skip:') === true) skip(broken);
      expect(broken).toBeUndefined();
    });
  }
});
