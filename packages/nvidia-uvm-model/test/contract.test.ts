import { gpuPreset } from '@hmm/gpu';
import type { DeviceClient } from '@hmm/device';
import { contractCases } from '@hmm/machine/contract';
import { UvmClient, UvmModuleParams } from '@hmm/nvidia-uvm-model';
import { describe, expect, test } from 'vitest';

function withParams(name: string, value: number): UvmModuleParams {
  const params = new UvmModuleParams();
  params.set(name, value);
  return params;
}

const VARIANTS: readonly [string, string, () => UvmModuleParams][] = [
  ['HMM on a Hopper', 'h100', () => new UvmModuleParams()],
  ['ATS on Grace Hopper', 'gh200', () => new UvmModuleParams()],
  ['managed memory on a Pascal', 'p100', () => new UvmModuleParams()],
  ['the Pascal with HMM that never shipped', 'p100-2016', () => new UvmModuleParams()],
  ['managed memory alone on a Hopper', 'h100', () => withParams('uvm_disable_hmm', 1)],
  ['a replay after each block', 'h100', () => withParams('uvm_perf_fault_replay_policy', 0)],
];

describe.each(VARIANTS)('the driver with %s keeps the contract of all clients', (_name, gpu, params) => {
  for (const { name, check } of contractCases()) {
    test(name, ({ skip }) => {
      const broken = check(
        ({ kernel, memory, seed }): DeviceClient =>
          new UvmClient(kernel, memory, gpuPreset(gpu), { params: params(), seed }),
      );
      if (broken?.startsWith('skip:') === true) skip(broken);
      expect(broken).toBeUndefined();
    });
  }
});
