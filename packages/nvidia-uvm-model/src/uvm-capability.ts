import type { GpuArchitecture, GpuPreset } from '@hmm/gpu';
import { ENODEV, ENOSYS } from '@hmm/kernel';
import type { UvmModuleParams } from './uvm-module-params.js';

/** The release branch whose decisions are recorded. */
export const UVM_RELEASE = 580;

/** How the driver reaches system memory on a GPU. */
export type UvmSystemMemory =
  { readonly kind: 'hmm' } | { readonly kind: 'ats' } | { readonly kind: 'none'; readonly reason: string };

/** Whether the driver can do the job on a GPU, and if not why. */
export type UvmCapability =
  | { readonly ok: true; readonly system: UvmSystemMemory }
  | { readonly ok: false; readonly errno: number; readonly reason: string };

/** The GPU that was announced with HMM and never shipped. */
const NEVER_SHIPPED = 'p100-2016';

/** First release branch with the hardware layer of an architecture; earlier than what is modelled where none is named. */
const FIRST_RELEASE: Partial<Record<GpuArchitecture, number>> = { blackwell: 560 };
/** The first with that of GB20x. */
const FIRST_RELEASE_GB20X = 570;
/** The first without the hardware layers of Maxwell, Pascal and Volta. */
const RELEASE_TURING_ONLY = 595;
const BEFORE_TURING: readonly GpuArchitecture[] = ['maxwell', 'pascal', 'volta'];

/** What a GPU that the driver cannot serve faults of is left without. */
const WITHOUT_FAULTS = 'so there is neither managed memory for both sides at once nor HMM';

/**
 * What the driver offers on a GPU with these parameters: managed memory that both sides may use at once needs
 * replayable faults; system memory needs HMM (compute capability 7.5 and newer) or ATS. `release` is a release branch.
 * Errors: `-ENODEV` where the release does not know the GPU, `-ENOSYS` where the GPU cannot replay a fault.
 * @uvm uvm_hal.c uvm_hal_init_gpu (without: the tables of functions of each engine)
 */
export function uvmCapability(
  preset: GpuPreset,
  params: UvmModuleParams,
  release = UVM_RELEASE,
): UvmCapability {
  const unknown = unknownTo(preset, release);
  if (unknown !== undefined) return { ok: false, errno: -ENODEV, reason: unknown };
  if (!preset.capability.replayableFaults) {
    return {
      ok: false,
      errno: -ENOSYS,
      reason: `${preset.title} cannot replay a fault, ${WITHOUT_FAULTS}: managed memory moves to it at each kernel launch as a whole, and the CPU may not touch it meanwhile`,
    };
  }
  return { ok: true, system: systemMemory(preset, params) };
}

/**
 * Whether the driver lets this GPU walk the CPU's page tables.
 * @uvm uvm_ats.c uvm_ats_init (without: IBM's address translation)
 */
export function uvmAtsEnabled(preset: GpuPreset, params: UvmModuleParams): boolean {
  return (
    preset.capability.ats && params.get('uvm_ats_mode') === 1 && params.get('uvm_enable_va_space_mm') === 1
  );
}

function unknownTo({ architecture, chip, title }: GpuPreset, release: number): string | undefined {
  if (architecture === 'kepler') {
    return `the open kernel modules do not support Kepler GPUs, which cannot replay a fault either, ${WITHOUT_FAULTS}`;
  }
  if (release >= RELEASE_TURING_ONLY && BEFORE_TURING.includes(architecture)) {
    return `release ${release} begins with Turing GPUs, and ${title} is older`;
  }
  const first = chip.startsWith('GB2') ? FIRST_RELEASE_GB20X : (FIRST_RELEASE[architecture] ?? 0);
  return release < first ? `release ${release} does not know ${title}: ${first} is the first to` : undefined;
}

/** @uvm uvm_hmm.c uvm_hmm_is_enabled_system_wide (all) */
function systemMemory(preset: GpuPreset, params: UvmModuleParams): UvmSystemMemory {
  if (uvmAtsEnabled(preset, params)) return { kind: 'ats' };
  const reason = noHmm(preset, params);
  return reason === undefined ? { kind: 'hmm' } : { kind: 'none', reason };
}

function noHmm(preset: GpuPreset, params: UvmModuleParams): string | undefined {
  if (preset.name !== NEVER_SHIPPED && Number(preset.computeCapability) < 7.5) {
    return `HMM needs compute capability 7.5, and ${preset.title} has ${preset.computeCapability}`;
  }
  if (params.get('uvm_disable_hmm') === 1) return 'uvm_disable_hmm is set';
  if (preset.host !== 'x86-64' && !params.chosen('uvm_disable_hmm')) {
    return `uvm_disable_hmm is 1 by default on ${preset.host}`;
  }
  if (params.get('uvm_enable_va_space_mm') === 0) {
    return 'uvm_enable_va_space_mm=0 leaves no address space to mirror';
  }
  return undefined;
}
