import { describe, expect, it } from 'vitest';
import { Kernel } from '@hmm/kernel';
import { MemorySystem } from '@hmm/mm';
import { moduleParameterNames, uvmFactory, UvmModuleParams } from '@hmm/nvidia-uvm-model';

describe('module parameters', () => {
  it('have the driver’s defaults', () => {
    const params = new UvmModuleParams();
    expect(params.get('uvm_perf_prefetch_threshold')).toBe(51);
    expect(params.get('uvm_perf_fault_replay_policy')).toBe(2);
    expect(params.get('uvm_perf_thrashing_pin')).toBe(300);
    expect(params.get('uvm_perf_lapse_vote_threshold')).toBe(32);
  });

  it('take values in range, replace others as the driver does, and say so', () => {
    const params = new UvmModuleParams();
    expect(params.set('uvm_perf_prefetch_threshold', 75)).toMatchObject({
      ok: true,
      value: 75,
      how: 'taken',
    });
    expect(params.set('uvm_perf_prefetch_threshold', 101)).toMatchObject({ value: 51, how: 'replaced' });
    expect(params.set('uvm_perf_fault_batch_count', 0)).toMatchObject({ value: 1, how: 'replaced' });
    expect(params.get('uvm_perf_fault_batch_count')).toBe(1);
    const outcome = params.set('uvm_perf_thrashing_threshold', 9);
    expect(outcome.message).toBe(
      'Invalid value 9 for uvm_perf_thrashing_threshold (1-7): the driver falls back to 3',
    );
  });

  it.each([
    ['uvm_perf_fault_replay_update_put_ratio', 150, 100],
    ['uvm_perf_fault_replay_policy', 4, 2],
    ['uvm_perf_fault_batch_count', 1e6, 4096],
    ['uvm_perf_prefetch_min_faults', 21, 1],
    ['uvm_perf_thrashing_enable', 2, 1],
    ['uvm_perf_thrashing_lapse_usec', 0, 500],
    ['uvm_perf_thrashing_lapse_usec', 1, 1],
    ['uvm_perf_lapse_vote_threshold', 0, 500],
    ['uvm_perf_lapse_vote_threshold', 1, 1],
    ['uvm_perf_thrashing_nap', 101, 1],
    ['uvm_perf_thrashing_pin', 0, 0],
    ['uvm_perf_access_counter_threshold', 70_000, 65_535],
    ['uvm_perf_access_counter_migration_enable', -3, -1],
    ['uvm_perf_access_counter_migration_enable', 5, 1],
    ['uvm_perf_migrate_cpu_preunmap_block_order', 11, 2],
    ['uvm_perf_reenable_prefetch_faults_lapse_msec', 200_000, 200_000],
    ['uvm_perf_prefetch_enable', 7, 1],
    ['uvm_global_oversubscription', -1, 1],
  ])('%s=%d becomes %d', (name, value, effective) => {
    expect(new UvmModuleParams().set(name, value)).toMatchObject({ ok: true, value: effective });
  });

  it('refuse what no driver could load, or would be of no use with', () => {
    const params = new UvmModuleParams();
    expect(params.set('uvm_perf_prefetch_threshold', -1)).toEqual({
      ok: false,
      message: "'-1' invalid for parameter 'uvm_perf_prefetch_threshold' (0-100)",
    });
    expect(params.set('uvm_perf_fault_max_batches_per_service', 0)).toMatchObject({ ok: false });
    expect(params.set('uvm_disable_hmm', 2)).toMatchObject({ ok: false });
  });

  it('are unknown to releases before the first that has them', () => {
    const create = (...settings: [string, string][]): readonly string[] => {
      const kernel = new Kernel();
      const memory = new MemorySystem(kernel);
      const made = uvmFactory().create({ kernel, memory, seed: 1 }, 'h100', new Map(settings));
      return made.ok ? made.client.log : [made.message];
    };
    const votes: [string, string] = ['uvm_perf_lapse_vote_threshold', '8'];
    expect(create(votes)).toEqual(["nvidia_uvm: unknown parameter 'uvm_perf_lapse_vote_threshold' ignored"]);
    expect(create(votes, ['release', '590'])).toEqual([]);
    expect(uvmFactory().settings['uvm_perf_lapse_vote_threshold']).toMatch(/, since release 590$/);
  });

  it('refuse names that the module has not, and fractions', () => {
    const params = new UvmModuleParams();
    expect(params.set('uvm_perf_magic', 1)).toMatchObject({ ok: false });
    expect(params.set('uvm_perf_prefetch_threshold', 1.5)).toMatchObject({ ok: false });
    expect(params.set('uvm_peer_copy', 1)).toMatchObject({ ok: true, how: 'without-effect' });
    expect(moduleParameterNames()).toContain('uvm_global_oversubscription');
  });
});
