import type { ClientFactory } from '@hmm/device';
import { findGpuTopology } from '@hmm/gpu';

/**
 * The cards that a driver is given on `gpu`, by name: one, which may be a machine with several GPUs where the driver knows such; else each
 * GPU of it as a card of its own, with its own instance of the driver. Undefined where it knows neither.
 */
export function cardsOn(factory: ClientFactory, gpu: string): readonly string[] | undefined {
  if (factory.gpus.includes(gpu)) return [gpu];
  const topology = findGpuTopology(gpu);
  if (topology === undefined || !factory.gpus.includes(topology.preset)) return undefined;
  return Array.from({ length: topology.gpus }, () => topology.preset);
}
