import {
  findGpuPreset,
  findGpuTopology,
  GPU_PRESETS,
  GPU_TOPOLOGIES,
  type GpuCapability,
  type GpuPreset,
  type GpuTopology,
  type PresetFigure,
  presetFigures,
} from '@hmm/gpu';
import { errnoName } from '@hmm/kernel';
import type { ClientFactory } from '@hmm/device';
import { Machine } from '@hmm/machine';
import { formatBytes, formatCount, formatTable, wrapText } from '@hmm/report';
import { type CommandBuilder, subcommand } from './cli.js';
import { jsonOption } from './options.js';
import { EXIT_OK, fail } from './output.js';

/** What `gpus` prints with `--json`: of the GPU asked for, or of all. */
export interface GpusReport {
  readonly version: 1;
  readonly gpus: readonly GpuReport[];
  /** Machines with several GPUs: all of them, or the one asked for. */
  readonly machines?: readonly GpuTopology[];
}

/** One GPU preset. */
export interface GpuReport extends Pick<
  GpuPreset,
  'name' | 'title' | 'architecture' | 'chip' | 'computeCapability' | 'host' | 'label'
> {
  /** Its link to the host. */
  readonly link: string;
  /** What it can do, by name. */
  readonly can: Readonly<Record<string, boolean | string>>;
  /** Every number, with its unit and where it is from. */
  readonly figures: readonly PresetFigure[];
  readonly drivers: readonly DriverVerdict[];
}

/** What a driver does on a GPU. */
export interface DriverVerdict {
  readonly client: string;
  /** Memory that both sides may use at once. */
  readonly managedMemory: boolean;
  /** Any memory of the process. */
  readonly systemMemory: boolean;
  /** Why there is not all of it; empty where nothing is to be said. */
  readonly reason: string;
}

/** `gpus [GPU]`: the GPU presets, what each driver does on them, and where every number is from. */
export function gpusCommand(factories: readonly ClientFactory[]): CommandBuilder {
  return (parent, host, done) => {
    const command = jsonOption(subcommand(parent, host, 'gpus', ['gpus', 'gpus h100', 'gpus v100 --json']))
      .description('the GPU presets, what each driver does on them, and where their numbers are from')
      .argument('[gpu]', 'only this one, with all its numbers');
    command.action((name: string | undefined) => {
      const { json } = command.opts<{ json: boolean }>();
      const machine = name === undefined ? undefined : findGpuTopology(name);
      const preset = name === undefined ? undefined : findGpuPreset(machine?.preset ?? name);
      if (name !== undefined && preset === undefined) {
        const known = [...GPU_PRESETS, ...GPU_TOPOLOGIES].map((each) => each.name).join(', ');
        done(fail(host.output, `there is no GPU ${name} (GPUs: ${known})`));
        return;
      }
      const gpus = (preset === undefined ? GPU_PRESETS : [preset]).map((each) => gpuReport(each, factories));
      const machines = GPU_TOPOLOGIES.filter((one) => machine === undefined || one === machine);
      const several = preset === undefined || machine !== undefined;
      const report: GpusReport = { version: 1, gpus, ...(several ? { machines } : {}) };
      const text = (): string => {
        const each = preset === undefined ? formatGpus(gpus) : gpus.map(formatGpu).join('');
        return several ? `${each}\n${formatMachines(machines)}` : each;
      };
      host.output.data(json ? `${JSON.stringify(report)}\n` : text());
      done(EXIT_OK);
    });
  };
}

function gpuReport(preset: GpuPreset, factories: readonly ClientFactory[]): GpuReport {
  const { name, title, architecture, chip, computeCapability, host, label, link, capability } = preset;
  return {
    ...{ name, title, architecture, chip, computeCapability, host, label },
    link: link.name,
    can: abilities(capability),
    figures: presetFigures(preset),
    drivers: factories.flatMap((factory) => verdict(factory, name)),
  };
}

/** Fields of a capability that are no numbers. */
function abilities(capability: GpuCapability): Record<string, boolean | string> {
  const found: Record<string, boolean | string> = {};
  for (const [name, value] of Object.entries<unknown>({ ...capability })) {
    if (typeof value === 'boolean' || typeof value === 'string') found[name] = value;
  }
  return found;
}

/** Asks the driver itself, on a small machine. Nothing where it does not know the GPU. */
function verdict(factory: ClientFactory, gpu: string): DriverVerdict[] {
  if (!factory.gpus.includes(gpu)) return [];
  const { kernel, memory } = new Machine({ memory: { systemFrames: 1024, frames: 8192 } });
  const made = factory.create({ kernel, memory, seed: 1 }, gpu, new Map());
  if (!made.ok) return [{ client: factory.name, ...NOTHING, reason: made.message }];
  const capability = made.client.capability();
  if (!capability.ok) {
    const reason = `${capability.reason} (-${errnoName(capability.errno)})`;
    return [{ client: factory.name, ...NOTHING, reason }];
  }
  const { managedMemory, systemMemory, systemMemoryRefusal: reason = '' } = capability.features;
  return [{ client: factory.name, managedMemory, systemMemory, reason }];
}

const NOTHING = { managedMemory: false, systemMemory: false };

function kinds({ managedMemory, systemMemory }: DriverVerdict): string {
  return [managedMemory ? 'managed' : '', systemMemory ? 'malloc' : ''].filter(Boolean).join(', ') || 'no';
}

function formatGpus(gpus: readonly GpuReport[]): string {
  const clients = gpus[0]?.drivers.map(({ client }) => client) ?? [];
  const rows = gpus.map(({ name, title, computeCapability, figures, drivers }) => [
    name,
    title,
    computeCapability,
    formatBytes(figures.find((f) => f.name === 'memory')?.value ?? 0),
    ...drivers.map(kinds),
  ]);
  const columns = [
    { title: 'GPU' },
    { title: 'product' },
    { title: 'CC' },
    { title: 'memory', align: 'right' as const },
    ...clients.map((title) => ({ title })),
  ];
  return `${formatTable(columns, rows)}\n\n${gpus.map(formatReasons).join('')}`;
}

/** Machines with several GPUs, and the links between these. */
function formatMachines(machines: readonly GpuTopology[]): string {
  const rows = machines.map(({ name, title, link }) => [
    name,
    title,
    link === undefined ? '-' : `${link.gbs.value} GB/s`,
    link === undefined ? '' : link.gbs.from,
  ]);
  const columns = [
    { title: 'machine' },
    { title: 'GPUs, and their links' },
    { title: 'link', align: 'right' as const },
    { title: 'from' },
  ];
  return `${formatTable(columns, rows)}\n`;
}

function formatReasons({ name, label, drivers }: GpuReport): string {
  const said = drivers.filter(({ reason }) => reason !== '');
  const lines = said.map(({ client, reason }) => `${name} under ${client}: ${reason}`);
  if (label !== '') lines.push(`${name}: ${label}`);
  return lines.map((line) => `${wrapText(line)}\n`).join('');
}

function formatGpu(gpu: GpuReport): string {
  const { name, title, architecture, chip, computeCapability, host, link, can, figures, drivers } = gpu;
  const abilityRows = Object.entries(can).map(([key, value]) => [
    key,
    typeof value === 'string' ? value : value ? 'yes' : 'no',
  ]);
  const figureRows = figures.map((f) => [f.name, amount(f), f.from, f.note]);
  const columns = [
    { title: 'number' },
    { title: 'value', align: 'right' as const },
    { title: 'from' },
    { title: 'note' },
  ];
  return [
    wrapText(
      `${name}: ${title}, ${chip} (${architecture}), compute capability ${computeCapability}, ${link}, ${host} host`,
    ),
    '',
    ...drivers.map((one) => `${one.client}: ${kinds(one)}`),
    formatReasons(gpu),
    formatTable([{ title: 'ability' }, { title: '' }], abilityRows),
    '',
    formatTable(columns, figureRows),
    '',
  ].join('\n');
}

function amount({ value, unit }: PresetFigure): string {
  if (unit === 'B') return formatBytes(value);
  const rounded = Number(value.toFixed(2));
  return unit === '' ? formatCount(rounded) : `${formatCount(rounded)} ${unit}`;
}
