/**
 * The one place in which the drivers of this repository are registered. An application that shows all of them takes them from
 * here, so that a new one is added in one file.
 *
 * @packageDocumentation
 */
import type { ClientFactory } from '@hmm/device';
import { hmm2016Factory } from '@hmm/hmm-2016';
import { mlx5Factory } from '@hmm/mlx5-model';
import { nouveauFactory } from '@hmm/nouveau-model';
import { type FirmwareDirectories } from '@hmm/nouveau-model/internal';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import { rxeFactory } from '@hmm/rxe-model';
import { testDeviceFactory } from '@hmm/test-device';

/**
 * The drivers of GPUs, the default one first: what is compared where nobody asks for others.
 * @param directories finds directories of firmware images; without it there are none.
 */
export function gpuDrivers(directories?: FirmwareDirectories): readonly ClientFactory[] {
  return [nouveauFactory(directories), uvmFactory()];
}

/** The drivers of network adapters, which are asked for by name. */
export function adapterDrivers(): readonly ClientFactory[] {
  return [mlx5Factory(), rxeFactory()];
}

/** The announced device on HMM as it was: the patches of November 2016, and Linux 4.14. Asked for by name. */
export function historicalDrivers(): readonly ClientFactory[] {
  return [hmm2016Factory('v13'), hmm2016Factory('4.14')];
}

/** The drivers that comparisons run where they are asked for by name: all but those of GPUs. */
export function driversByName(): readonly ClientFactory[] {
  return [...adapterDrivers(), testDeviceFactory(), ...historicalDrivers()];
}

/** Every driver: those of real devices, the kernel's own test device, and the historical ones. */
export function allDrivers(directories?: FirmwareDirectories): readonly ClientFactory[] {
  return [...gpuDrivers(directories), ...driversByName()];
}
