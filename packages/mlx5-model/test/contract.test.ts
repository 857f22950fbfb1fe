import { describe, expect, test } from 'vitest';
import { contractCases } from '@hmm/machine/contract';
import { MLX5_7_3, MLX5_MEMORY, MLX5_TRANSPORT, Mlx5Client } from '@hmm/mlx5-model';

describe.each([
  ['with faults by work request', MLX5_TRANSPORT],
  ['with faults by memory key', MLX5_MEMORY],
  ['with the hazards of Linux 7.3', MLX5_7_3],
])('mlx5 %s keeps the contract of clients', (_title, options) => {
  for (const { name, check } of contractCases()) {
    test(name, ({ skip }) => {
      const broken = check(({ memory }) => new Mlx5Client(memory, 'connectx-6', options));
      if (broken?.startsWith('skip:') === true) skip(broken);
      expect(broken).toBeUndefined();
    });
  }
});
