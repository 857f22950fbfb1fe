import type { ClientFactory } from '@hmm/device';
import { allDrivers } from '@hmm/drivers';
import { KERNEL_SETTINGS } from '@hmm/kernel/internal';
import { type Refusal, refusedBy } from './problem.js';

/** Which driver runs something, on which GPU. */
export interface ClientChoice {
  /** Name of a modelled driver ({@link clients} lists them), or a factory of your own. Default: `nvidia`. */
  readonly client?: string | ClientFactory;
  /** Preset of its GPU or adapter. Default: the driver's first. */
  readonly gpu?: string;
  /** Settings of the driver and of the kernel (`release`, `flip`), by name; those of a program stand below them. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** For what is left to chance. Default: 1. The same input with the same seed gives the same result. */
  readonly seed?: number;
}

/** A driver that can be chosen. */
export interface ClientDescription {
  readonly name: string;
  readonly title: string;
  /** Presets that it knows; the first is the default. */
  readonly gpus: readonly string[];
  /** Settings, with a sentence each. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The modelled drivers: those of GPUs, of network adapters, the kernel's test device, and those of 2016. */
export function clients(): ClientDescription[] {
  return allDrivers().map(({ name, title, gpus, settings }) => ({ name, title, gpus, settings }));
}

const DEFAULT_CLIENT = 'nvidia';

/** A driver, the preset that it runs on, and how it is set. */
export interface ChosenClient {
  readonly outcome: 'chosen';
  readonly factory: ClientFactory;
  readonly gpu: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly seed: number;
}

/** What a choice means, with the settings of the program or trace below those of the choice. */
export function chosenClient(choice: ClientChoice, own: ReadonlyMap<string, string>): ChosenClient | Refusal {
  const { client = DEFAULT_CLIENT, seed = 1 } = choice;
  const all = allDrivers();
  const factory = typeof client === 'string' ? all.find(({ name }) => name === client) : client;
  if (factory === undefined)
    return refusedBy(
      `client is one of ${namesOf(all)}, not ${typeof client === 'string' ? client : client.name}`,
    );
  const gpu = choice.gpu ?? own.get('gpu') ?? factory.gpus[0] ?? '';
  if (!factory.gpus.includes(gpu))
    return refusedBy(`gpu of ${factory.name} is one of ${factory.gpus.join(', ')}, not ${gpu}`);
  const known = { ...factory.settings, ...KERNEL_SETTINGS };
  const given = Object.entries(choice.settings ?? {}).map(([key, value]) => [key, String(value)] as const);
  const unknown = given.find(([key]) => !(key in known));
  if (unknown !== undefined)
    return refusedBy(`there is no setting ${unknown[0]} (settings: ${Object.keys(known).join(', ')})`);
  // A program that is written for several drivers has settings of the others too.
  const fitting = [...own].filter(([key]) => key in known);
  return { outcome: 'chosen', factory, gpu, settings: new Map([...fitting, ...given]), seed };
}

const namesOf = (factories: readonly ClientFactory[]): string => factories.map(({ name }) => name).join(', ');
