import { gpuPresetNames } from '@hmm/gpu';

/** The preset whose name is a word of a machine's description, `H200 141GB, driver 580`; undefined where none is. */
export function gpuOfMachine(machine: string | undefined): string | undefined {
  const words = new Set(machine?.toLowerCase().split(/[^a-z0-9]+/));
  return gpuPresetNames().find((name) => words.has(name));
}
