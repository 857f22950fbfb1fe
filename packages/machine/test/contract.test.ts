import { describe, expect, test } from 'vitest';
import { contractCases, MirrorClient } from '@hmm/machine/contract';

describe('a client of one page keeps the contract', () => {
  for (const { name, check } of contractCases()) {
    test(name, ({ skip }) => {
      const broken = check(({ kernel }) => new MirrorClient(kernel));
      if (broken?.startsWith('skip:') === true) skip(broken);
      expect(broken).toBeUndefined();
    });
  }
});
