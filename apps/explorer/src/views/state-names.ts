import { ON_BOTH, ON_CPU, ON_DEVICE, ON_SECOND_GPU } from '../tiles/residency-raster.js';

/** What the state of a cell is called in a machine of `gpus` GPUs. */
export function stateName(state: number, gpus: number): string {
  if (state === ON_CPU) return 'CPU memory';
  if (state === ON_BOTH) return gpus > 1 ? 'copies in several memories' : 'both';
  if (state < ON_DEVICE) return 'nowhere';
  const gpu = state === ON_DEVICE ? 0 : state - ON_SECOND_GPU + 1;
  return gpus > 1 ? `memory of GPU ${gpu}` : 'GPU memory';
}
