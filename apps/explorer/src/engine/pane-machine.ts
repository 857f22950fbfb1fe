import { errnoName } from '@hmm/kernel';
import { KERNEL_SETTINGS } from '@hmm/kernel/internal';
import type { ClientFactory, DeviceClient, DeviceFeatures } from '@hmm/device';
import { cardsOn, Machine, plugDevice, splitSettings } from '@hmm/machine';
import { DEFAULT_DEVICE, parseProgram, type ProgramFile } from '@hmm/workload';
import { allocates, evaluateNumber, type Scope, withMemory } from '@hmm/workload/internal';
import { MachineGpus } from './machine-gpus.js';
import type { PaneSpec } from './protocol.js';
import type { PaneRefusal } from './run-view.js';

const SEED = 1;
const NO_SCOPE: Scope = { lookup: () => undefined, query: () => undefined };

/** A machine with a pane's driver plugged in, and the program as this driver can run it. */
export interface PaneMachine {
  readonly ok: true;
  readonly machine: Machine;
  /** The device that statements mean which name none, its driver and its GPU, or the machine with several, by name. */
  readonly device: string;
  readonly client: DeviceClient;
  readonly gpu: string;
  /** All GPUs of the machine. */
  readonly gpus: MachineGpus;
  readonly factory: ClientFactory;
  readonly program: ProgramFile;
  readonly parameters: ReadonlyMap<string, number>;
  /** The driver's settings that the program or the pane names. */
  readonly settings: ReadonlyMap<string, string>;
  /** What was changed in the program so that it could run, one clause each. */
  readonly changed: readonly string[];
}

/** Builds a pane's machine, or says why there is none. */
export function buildPane(
  program: ProgramFile,
  pane: PaneSpec,
  factories: readonly ClientFactory[],
  trace: boolean,
): PaneMachine | PaneRefusal {
  const factory = factories.find(({ name }) => name === pane.client);
  if (factory === undefined)
    return { ok: false, title: pane.client, message: `There is no driver called ${pane.client}.` };
  const { title } = factory;
  const chosen = settingsOf(program, pane, factory, factories);
  if ('message' in chosen) return { ok: false, title, message: chosen.message };
  const split = splitSettings(chosen.settings, factory);
  if (!split.ok) return { ok: false, title, message: split.message };
  const machine = new Machine({ kernel: split.kernel, memory: split.memory, trace });
  const devices =
    program.devices.length > 0 ? program.devices.map(({ name }) => name.text) : [DEFAULT_DEVICE];
  for (const name of devices) {
    const plugged = plugDevice(machine, {
      name,
      factory,
      gpu: chosen.gpu,
      seed: SEED,
      settings: split.driver,
    });
    if (!plugged.ok) return { ok: false, title, message: plugged.message };
  }
  const [device = DEFAULT_DEVICE] = devices;
  const client = machine.client(device);
  const capability = client.capability();
  if (!capability.ok) {
    const message = `Cannot run on ${chosen.gpu}: ${capability.reason} (-${errnoName(capability.errno)}).`;
    return { ok: false, title, message };
  }
  const adapted = adapt(program, capability.features);
  const { parameters, settings } = chosen;
  const gpu = machine.cards(device).length > 1 ? chosen.gpu : client.gpu;
  const gpus = new MachineGpus(machine);
  return { ok: true, machine, device, client, gpu, gpus, factory, parameters, settings, ...adapted };
}

interface Chosen {
  readonly gpu: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly parameters: ReadonlyMap<string, number>;
}

/** The pane's settings over those of the program's text: GPU, the program's parameters, the driver's settings. */
function settingsOf(
  program: ProgramFile,
  pane: PaneSpec,
  factory: ClientFactory,
  factories: readonly ClientFactory[],
): Chosen | { readonly message: string } {
  const lets = new Set(program.body.flatMap((s) => (s.kind === 'let' ? [s.name.text] : [])));
  const settings = new Map<string, string>();
  const parameters = new Map<string, number>();
  let gpu = factory.gpus[0] ?? '';
  const known = { ...factory.settings, ...KERNEL_SETTINGS };
  for (const { key, value } of program.settings) {
    if (key.text === 'gpu') gpu = cardsOn(factory, value) === undefined ? gpu : value;
    else if (key.text in known) settings.set(key.text, value);
    else if (key.text !== 'client' && !factories.some((other) => key.text in other.settings))
      return {
        message: `Line ${key.span.line}: ${nothingCalled(key.text, [...lets, ...Object.keys(known)])}`,
      };
  }
  if (pane.gpu !== '') gpu = pane.gpu;
  for (const text of pane.settings) {
    const at = text.indexOf('=');
    const key = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? '1' : text.slice(at + 1);
    if (lets.has(key)) {
      const number = numberOf(value);
      if (number === undefined) return { message: `${key} needs a number, such as 16, 2MiB or 5ms.` };
      parameters.set(key, number);
    } else if (key in known) settings.set(key, value);
    else return { message: nothingCalled(key, [...lets, ...Object.keys(known)]) };
  }
  return { gpu, settings, parameters };
}

const nothingCalled = (key: string, known: readonly string[]): string =>
  `There is nothing called ${key} to set. Known: ${known.join(', ')}.`;

function numberOf(text: string): number | undefined {
  const parsed = parseProgram(`let x = ${text}`, 'setting');
  const [statement] = parsed.ok ? parsed.program.body : [];
  if (statement?.kind !== 'let') return undefined;
  const value = evaluateNumber(statement.value, NO_SCOPE);
  return typeof value === 'number' ? value : undefined;
}

function adapt(
  program: ProgramFile,
  {
    managedMemory,
    systemMemory,
    systemMemoryRefusal: refusal = '',
  }: Pick<DeviceFeatures, 'managedMemory' | 'systemMemory' | 'systemMemoryRefusal'>,
): { readonly program: ProgramFile; readonly changed: readonly string[] } {
  if (!systemMemory && managedMemory && allocates(program, 'malloc')) {
    const why = refusal === '' ? '' : ` (${refusal})`;
    const changed = [`on this GPU it does not reach malloc’d memory${why}: malloc became managed memory`];
    return { program: withMemory(program, 'malloc', 'managed'), changed };
  }
  if (!managedMemory && systemMemory && allocates(program, 'managed')) {
    const changed = ['it has no managed memory: managed became malloc'];
    return { program: withMemory(program, 'managed', 'malloc'), changed };
  }
  return { program, changed: [] };
}
