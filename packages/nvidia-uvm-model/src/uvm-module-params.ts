/**
 * What the driver does with a value outside of a parameter's range: it takes its default, or the nearest end; it takes it for
 * "yes"; or it goes on with what is of no use, such as never serving a fault, and the model refuses that.
 */
export type UvmParamOutside = 'default' | 'clamp' | 'yes' | 'refuse';

/** What the driver does with a parameter at load time. */
export interface UvmParamRule {
  readonly name: string;
  readonly value: number;
  /** Values that are taken as they are. */
  readonly min: number;
  readonly max: number;
  readonly outside: UvmParamOutside;
  /** What the driver falls back to where that is not the default. */
  readonly fallback?: number;
  /** The first release branch that has it; nothing where all have. */
  readonly since?: number;
}

/** Parameters are C's unsigned integers; few are signed. */
const MAX = 2 ** 31 - 1;

function rule(
  name: string,
  value: number,
  min = 0,
  max = MAX,
  outside: UvmParamOutside = 'default',
): UvmParamRule {
  return { name, value, min, max, outside };
}

/** A switch that anything but 0 turns on. */
function toggle(name: string, value: number): UvmParamRule {
  return rule(name, value, 0, 1, 'yes');
}

/** Parameters that the model acts on, with the driver's defaults, ranges and treatment of other values. */
export const UVM_PARAM_RULES: readonly UvmParamRule[] = [
  rule('uvm_perf_fault_batch_count', 256, 1, 4096, 'clamp'),
  rule('uvm_perf_fault_replay_policy', 2, 0, 3),
  rule('uvm_perf_fault_replay_update_put_ratio', 50, 0, 100, 'clamp'),
  rule('uvm_perf_fault_max_batches_per_service', 20, 1, MAX, 'refuse'),
  rule('uvm_perf_fault_max_throttle_per_service', 5, 1, MAX, 'refuse'),
  toggle('uvm_perf_fault_coalesce', 1),
  rule('uvm_perf_reenable_prefetch_faults_lapse_msec', 1000),
  toggle('uvm_perf_prefetch_enable', 1),
  rule('uvm_perf_prefetch_threshold', 51, 0, 100),
  rule('uvm_perf_prefetch_min_faults', 1, 1, 20),
  rule('uvm_perf_thrashing_enable', 1, 0, 1),
  rule('uvm_perf_thrashing_threshold', 3, 1, 7),
  rule('uvm_perf_thrashing_pin_threshold', 10, 1, 255),
  rule('uvm_perf_thrashing_lapse_usec', 500, 1),
  // A 0 is replaced by the default of another parameter, as in the driver.
  { ...rule('uvm_perf_lapse_vote_threshold', 32, 1), fallback: 500, since: 590 },
  rule('uvm_perf_thrashing_nap', 1, 1, 100),
  rule('uvm_perf_thrashing_epoch', 2000, 1),
  rule('uvm_perf_thrashing_pin', 300, 0),
  rule('uvm_perf_thrashing_max_resets', 4, 0),
  rule('uvm_perf_access_counter_migration_enable', -1, -1, 1, 'yes'),
  rule('uvm_perf_access_counter_batch_count', 256, 1, 4096, 'clamp'),
  rule('uvm_perf_access_counter_threshold', 256, 1, 65535, 'clamp'),
  toggle('uvm_perf_map_remote_on_native_atomics_fault', 0),
  toggle('uvm_perf_map_remote_on_eviction', 1),
  toggle('uvm_perf_migrate_cpu_preunmap_enable', 1),
  rule('uvm_perf_migrate_cpu_preunmap_block_order', 2, 0, 10),
  rule('uvm_perf_pma_batch_nonpinned_order', 6, 0, 10, 'refuse'),
  toggle('uvm_global_oversubscription', 1),
  toggle('uvm_fault_force_sysmem', 0),
  toggle('uvm_force_prefetch_fault_support', 0),
  rule('uvm_disable_hmm', 0, 0, 1, 'refuse'),
  toggle('uvm_ats_mode', 1),
  toggle('uvm_enable_va_space_mm', 1),
  rule('uvm_cpu_chunk_allocation_sizes', 2166784, 4096),
];

/** Parameters that the module declares as signed. */
const SIGNED: ReadonlySet<string> = new Set([
  'uvm_perf_access_counter_migration_enable',
  'uvm_perf_map_remote_on_eviction',
  'uvm_perf_migrate_cpu_preunmap_enable',
  'uvm_global_oversubscription',
  'uvm_fault_force_sysmem',
  'uvm_ats_mode',
  'uvm_enable_va_space_mm',
]);

/** Parameters of the real module whose effect lies outside of what is modelled; accepted, and said so. */
export const UVM_PARAMS_WITHOUT_EFFECT: readonly string[] = [
  'uvm_block_cpu_to_cpu_copy_with_ce',
  'uvm_peer_copy',
  'uvm_page_table_location',
  'uvm_channel_num_gpfifo_entries',
  'uvm_channel_gpfifo_loc',
  'uvm_channel_gpput_loc',
  'uvm_channel_pushbuffer_loc',
  'uvm_downgrade_force_membar_sys',
  'uvm_exp_gpu_cache_peermem',
  'uvm_exp_gpu_cache_sysmem',
  'uvm_conf_computing_channel_iv_rotation_limit',
  'uvm_debug_enable_push_desc',
  'uvm_debug_enable_push_acquire_info',
  'uvm_debug_prints',
  'uvm_enable_builtin_tests',
  'uvm_enable_debug_procfs',
  'uvm_leak_checker',
  'uvm_release_asserts',
  'uvm_release_asserts_dump_stack',
  'uvm_release_asserts_set_global_error',
];

/** What became of a parameter that a user set. */
export type ParamOutcome =
  | {
      readonly ok: true;
      /** The value now in force. */
      readonly value: number;
      /** `taken`, `replaced` (outside its range) or `without-effect`. */
      readonly how: 'taken' | 'replaced' | 'without-effect';
      /** One sentence for people, as the kernel log would have it. */
      readonly message: string;
    }
  | { readonly ok: false; readonly message: string };

/** The module parameters of `nvidia-uvm.ko`, by their own names. Read once, when the driver is loaded. */
export class UvmModuleParams {
  private readonly values = new Map<string, number>(UVM_PARAM_RULES.map((r) => [r.name, r.value]));
  private readonly named = new Set<string>();

  /** The value in force of `name`. */
  get(name: string): number {
    return this.values.get(name) ?? 0;
  }

  /** Whether `name` was set, be it to its default. */
  chosen(name: string): boolean {
    return this.named.has(name);
  }

  /** All parameters that the model acts on, with the values in force. */
  entries(): [string, number][] {
    return [...this.values];
  }

  /** Sets a parameter as a module option would, and says what the driver made of it. */
  set(name: string, value: number): ParamOutcome {
    const found = UVM_PARAM_RULES.find((r) => r.name === name);
    if (found === undefined) return this.setUnmodelled(name, value);
    if (!Number.isInteger(value)) return { ok: false, message: `${name} takes a whole number, not ${value}` };
    const { min, max } = found;
    const range = moduleParameterRange(found);
    if (value < 0 && !SIGNED.has(name)) {
      return { ok: false, message: `'${value}' invalid for parameter '${name}' (${range})` };
    }
    const inside = value >= min && value <= max;
    if (!inside && found.outside === 'refuse') {
      return { ok: false, message: `${name}=${value} makes the driver useless: the model takes ${range}` };
    }
    const effective = inside ? value : resolve(found, value);
    this.values.set(name, effective);
    this.named.add(name);
    if (inside || found.outside === 'yes') {
      return { ok: true, value: effective, how: 'taken', message: `${name}=${value}` };
    }
    const why = found.outside === 'clamp' ? 'clamped to' : 'the driver falls back to';
    const message = `Invalid value ${value} for ${name} (${range}): ${why} ${effective}`;
    return { ok: true, value: effective, how: 'replaced', message };
  }

  private setUnmodelled(name: string, value: number): ParamOutcome {
    if (!UVM_PARAMS_WITHOUT_EFFECT.includes(name)) {
      return { ok: false, message: `nvidia-uvm has no parameter called ${name}` };
    }
    return {
      ok: true,
      value,
      how: 'without-effect',
      message: `${name} is accepted and changes nothing in this model`,
    };
  }
}

/** What the driver makes of a value outside of the range. */
function resolve({ outside, value: normal, fallback, min, max }: UvmParamRule, value: number): number {
  switch (outside) {
    case 'clamp':
      return Math.min(max, Math.max(min, value));
    case 'yes':
      return value < 0 && min < 0 ? min : 1;
    default:
      return fallback ?? normal;
  }
}

function moduleParameterRange({ min, max }: UvmParamRule): string {
  return max === MAX ? `${min} or more` : `${min}-${max}`;
}

/** `name`s that {@link UvmModuleParams.set} accepts. */
export function moduleParameterNames(): string[] {
  return [...UVM_PARAM_RULES.map((r) => r.name), ...UVM_PARAMS_WITHOUT_EFFECT];
}

/** The parameters that were set although release branch `release` has none of that name: the kernel ignores those. */
export function moduleParametersUnknownTo(params: UvmModuleParams, release: number): string[] {
  return UVM_PARAM_RULES.filter(({ name, since = 0 }) => release < since && params.chosen(name)).map(
    ({ name }) => name,
  );
}

/** One line on a parameter: its default and its range. */
export function moduleParameterText(name: string): string {
  const found = UVM_PARAM_RULES.find((r) => r.name === name);
  if (found === undefined) return 'accepted, without effect in this model';
  const top = found.max === MAX ? 'no limit' : String(found.max);
  const since = found.since === undefined ? '' : `, since release ${found.since}`;
  return `default ${found.value}, from ${found.min} to ${top}${since}`;
}
