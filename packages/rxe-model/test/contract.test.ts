import { describe, expect, test } from 'vitest';
import { contractCases } from '@hmm/machine/contract';
import { RXE_7_3, RXE_INTENDED, RxeClient } from '@hmm/rxe-model';

describe.each([
  ['as it is meant', RXE_INTENDED],
  ['as Linux 7.3 has it', RXE_7_3],
])('soft-RoCE %s keeps the contract of clients', (_title, options) => {
  for (const { name, check } of contractCases()) {
    test(name, ({ skip }) => {
      const broken = check(({ memory }) => new RxeClient(memory, options));
      if (broken?.startsWith('skip:') === true) skip(broken);
      expect(broken).toBeUndefined();
    });
  }
});
