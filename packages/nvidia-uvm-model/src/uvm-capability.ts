import type { GpuPreset } from '@hmm/gpu';
import { ENODEV, ENOSYS } from '@hmm/kernel';
import type { UvmModuleParams } from './uvm-module-params.js';

/** How the driver reaches system memory on a GPU. */
export type UvmSystemMemory =
  { readonly kind: 'hmm' } | { readonly kind: 'ats' } | { readonly kind: 'none'; readonly reason: string };

/** Whether the driver can do the job on a GPU, and if not why. */
export type UvmCapability =
  | { readonly ok: true; readonly system: UvmSystemMemory }
  | { readonly ok: false; readonly errno: number; readonly reason: string };

/** The GPU that was announced with HMM and never shipped. */
const NEVER_SHIPPED = 'p100-2016';

/**
 * What the driver offers on a GPU with these parameters: managed memory that both sides may use at once needs
 * replayable faults; system memory needs HMM (compute capability 7.5 and newer) or ATS.
 */
export function uvmCapability(preset: GpuPreset, params: UvmModuleParams): UvmCapability {
  if (preset.architecture === 'kepler') {
    return { ok: false, errno: -ENODEV, reason: 'the open kernel modules do not support Kepler GPUs' };
  }
  if (!preset.capability.replayableFaults) {
    return {
      ok: false,
      errno: -ENOSYS,
      reason: `${preset.title} cannot replay a fault: managed memory moves to it at each kernel launch as a whole, and the CPU may not touch it meanwhile`,
    };
  }
  return { ok: true, system: systemMemory(preset, params) };
}

function systemMemory(preset: GpuPreset, params: UvmModuleParams): UvmSystemMemory {
  if (preset.capability.ats && params.get('uvm_ats_mode') === 1) return { kind: 'ats' };
  if (preset.name === NEVER_SHIPPED) return { kind: 'hmm' };
  if (Number(preset.computeCapability) < 7.5) {
    const reason = `HMM needs compute capability 7.5, and ${preset.title} has ${preset.computeCapability}`;
    return { kind: 'none', reason };
  }
  if (params.get('uvm_disable_hmm') === 1) return { kind: 'none', reason: 'uvm_disable_hmm is set' };
  if (params.get('uvm_enable_va_space_mm') === 0) {
    return { kind: 'none', reason: 'uvm_enable_va_space_mm=0 leaves no address space to mirror' };
  }
  return { kind: 'hmm' };
}
