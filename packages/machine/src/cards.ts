import type { ClientFactory, DeviceClient } from '@hmm/device';
import { findGpuTopology, GPU_TOPOLOGIES } from '@hmm/gpu';
import { CARD } from './card-names.js';
import type { Machine } from './machine.js';

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

/** The GPUs and the machines with several of them that a driver can be given, by name, its default first. */
export function gpusFor(factory: ClientFactory): string[] {
  const machines = GPU_TOPOLOGIES.map(({ name }) => name).filter((name) => !factory.gpus.includes(name));
  return [...factory.gpus, ...machines.filter((name) => cardsOn(factory, name) !== undefined)];
}

/** What is plugged into a machine as one device. */
export interface PluggedDevice {
  /** The device's name. */
  readonly name: string;
  readonly factory: ClientFactory;
  /** A GPU, or a machine with several, by name. */
  readonly gpu: string;
  readonly seed: number;
  /** The driver's. */
  readonly settings: ReadonlyMap<string, string>;
}

/** Clients of a device's cards, the first one first, or one line on why there are none. */
export type PluggedResult =
  | { readonly ok: true; readonly client: DeviceClient; readonly cards: readonly DeviceClient[] }
  | { readonly ok: false; readonly message: string };

/** Plugs a device into a machine: the driver, once for each card that it has to itself (see {@link cardsOn}). */
export function plugDevice(machine: Machine, device: PluggedDevice): PluggedResult {
  const { factory, gpu, name, seed, settings } = device;
  const { kernel, memory } = machine;
  const cards: DeviceClient[] = [];
  for (const card of cardsOn(factory, gpu) ?? [gpu]) {
    const made = factory.create({ kernel, memory, seed }, card, settings);
    if (!made.ok) return made;
    machine.addDevice(cards.length === 0 ? name : `${name}${CARD}${cards.length}`, made.client);
    cards.push(made.client);
  }
  const [client] = cards;
  return client === undefined
    ? { ok: false, message: `there is no card on ${gpu}` }
    : { ok: true, client, cards };
}
