import {
  type ClientFactory,
  type DeviceClient,
  type DeviceProcess,
  RES_CPU,
  RES_DEVICE,
  RES_DEVICE_MAPPED,
} from '@hmm/device';
import { type ClientExploration } from '@hmm/device/internal';
import { HmmError, type Task } from '@hmm/kernel';
import { declareState, KERNEL_SETTINGS } from '@hmm/kernel/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import type { OperationClient } from '@hmm/operations';
import { exploredProcess, exploring, type Exploring } from './explored-process.js';
import type { DeviceEntry, MirrorDevices, MirrorDevicesFactory } from './mirror-devices.js';

/** The setting that names the driver of a litmus test; without it a test has the devices that the application hands in. */
export const CLIENT_SETTING = 'client';

/** The setting by which forked children have the device files that their parents had open. */
const INHERIT_SETTING = 'inherit';

/** A process that has the device open. */
interface Opened {
  /** Which of its opens: one process may have the device file open several times. */
  readonly device: number;
  readonly mm: MmStruct;
  /** As the driver made it, and as the test uses it. */
  readonly inner: DeviceProcess;
  readonly explored: DeviceProcess;
}

/**
 * The one device of a driver, as the driver's {@link ClientFactory} makes it; devices of other numbers are further opens of it. Every step of a call of the driver counts as one
 * that uses all of its state, so that no interleaving of two calls is left out.
 */
export class ClientDevices implements MirrorDevices {
  /** What of it is state. */
  static readonly state = declareState({
    naming: { outside: 'names for stories' },
    mirrors: 'constant',
    saying: 'constant',
    statesRecognised: 'constant',
    inner: 'constant',
    client: { outside: 'made of the driver below it' },
    exploration: 'constant',
    explored: { outside: 'a function' },
    opened: 'constant',
    inherits: 'constant',
    bits: { outside: 'written before it is read, by one call' },
  });

  readonly naming: MirrorDevices['naming'];
  /** The processes on which the driver says what its page table has; of others it is asked page by page what the device maps. */
  readonly mirrors: { readonly device: number; readonly mm: MmStruct }[] = [];
  private readonly saying: DeviceProcess[] = [];
  /** @inheritdoc */
  readonly statesRecognised = false;
  /** The client as operations see it. */
  readonly client: OperationClient;
  private readonly inner: DeviceClient;
  private readonly exploration: ClientExploration;
  private readonly explored: Exploring;
  private readonly opened: Opened[] = [];
  private readonly bits = new Uint8Array(1);
  private readonly inherits: boolean;

  /** @throws HmmError `SETTING` where the driver cannot be had with these settings. */
  constructor(factory: ClientFactory, memory: MemorySystem, settings: ReadonlyMap<string, string>) {
    const { kernel } = memory;
    this.exploration = { object: kernel.allocIds(1) };
    this.explored = exploring(kernel.sched, this.exploration.object);
    const inherits = settings.get(INHERIT_SETTING) ?? 'no';
    if (inherits !== 'yes' && inherits !== 'no')
      throw new HmmError('SETTING', `inherit is yes or no, not ${inherits}`, { key: INHERIT_SETTING });
    this.inherits = inherits === 'yes';
    const gpu = settings.get('gpu') ?? factory.gpus[0] ?? '';
    const host = { kernel, memory, seed: 1, exploration: this.exploration };
    const made = factory.create(host, gpu, settingsOf(factory, settings));
    if (!made.ok) throw new HmmError('SETTING', made.message);
    const { client } = made;
    this.inner = client;
    this.naming = factory.naming;
    const limitMemory = (pages: number): Task<number> => this.explored(client.limitMemory(pages));
    this.client = { name: client.name, gpu: client.gpu, limitMemory };
  }

  /** @inheritdoc */
  *open(device: number, mm: MmStruct): Task<number> {
    const result = yield* this.explored(this.inner.openProcess(mm));
    if (!result.ok) return result.errno;
    const inner = result.process;
    this.opened.push({ device, mm, inner, explored: exploredProcess(inner, this.explored) });
    if (inner.entryAt !== undefined) {
      this.mirrors.push({ device, mm });
      this.saying.push(inner);
    }
    return 0;
  }

  /** @inheritdoc */
  inherit(parent: MmStruct, child: MmStruct): number[] {
    if (!this.inherits) return [];
    const inherited: number[] = [];
    for (const { device, mm, inner } of [...this.opened]) {
      if (mm !== parent || inner.inherit === undefined) continue;
      const process = inner.inherit(child);
      this.opened.push({
        device,
        mm: child,
        inner: process,
        explored: exploredProcess(process, this.explored),
      });
      inherited.push(device);
    }
    return inherited;
  }

  /** @inheritdoc */
  process(device: number, mm: MmStruct): DeviceProcess | undefined {
    return this.opened.find((one) => one.mm === mm && one.device === device)?.explored;
  }

  /** @inheritdoc */
  entries(): DeviceEntry[] {
    return [];
  }

  /** @inheritdoc */
  entryAt(index: number, vpn: number): number {
    return this.saying[index]?.entryAt?.(vpn) ?? -1;
  }

  /** @inheritdoc */
  residency(mm: MmStruct, vpn: number): number | undefined {
    const { bits, opened } = this;
    const open = opened.find((one) => one.mm === mm);
    if (open === undefined) return undefined;
    open.inner.residency(vpn, 1, bits);
    return bits[0] ?? 0;
  }

  /** @inheritdoc */
  workers(): readonly { readonly name: string; readonly daemon: true; run(): Task }[] {
    return this.inner.workers().map(({ name }, i) => ({
      name,
      daemon: true,
      run: () => this.worker(i),
    }));
  }

  /** An agent of the driver, which tells itself of what its steps use. */
  private *worker(i: number): Task {
    const worker = this.inner.workers()[i];
    if (worker !== undefined) yield* worker.task;
  }

  /** What of the driver's own invariants is broken: while calls are under way, or, `atRest`, between them. */
  checkClient(
    pages: readonly number[],
    atRest: boolean,
  ): { readonly invariant: string; readonly detail: string } | undefined {
    return this.inner.brokenInvariants?.(pages, atRest)[0];
  }

  /** A device that maps a page maps data that is somewhere: a translation that outlived its page shows here. */
  checkAtEnd(pages: readonly number[]): { readonly invariant: string; readonly detail: string } | undefined {
    for (const { mm } of this.opened) {
      for (const vpn of pages) {
        const bits = this.residency(mm, vpn) ?? 0;
        if ((bits & RES_DEVICE_MAPPED) === 0 || (bits & (RES_CPU | RES_DEVICE)) !== 0) continue;
        return {
          invariant: 'I5',
          detail: `the device maps page ${vpn} of mm ${mm.id}, whose data is nowhere`,
        };
      }
    }
    return undefined;
  }
}

/** The settings that are the driver's own; those of the kernel are the kernel's. */
function settingsOf(factory: ClientFactory, settings: ReadonlyMap<string, string>): Map<string, string> {
  const own = (name: string): boolean =>
    Object.hasOwn(factory.settings, name) && !Object.hasOwn(KERNEL_SETTINGS, name);
  return new Map([...settings].filter(([name]) => own(name)));
}

/**
 * The devices of a litmus test: those of the driver that `set client = …` names, as its factory makes them; `others` where it names none.
 * What is returned throws an `HmmError` `SETTING` for a driver that is not among `factories`.
 */
export function devicesByClient(
  factories: readonly ClientFactory[],
  others: MirrorDevicesFactory,
): MirrorDevicesFactory {
  const named = (settings: ReadonlyMap<string, string>): ClientFactory | undefined => {
    const name = settings.get(CLIENT_SETTING);
    if (name === undefined) return undefined;
    const factory = factories.find((one) => one.name === name);
    if (factory !== undefined) return factory;
    const known = factories.map((one) => one.name).join(', ');
    throw new HmmError('SETTING', `client is one of ${known}, not ${name}`, { key: CLIENT_SETTING });
  };
  return {
    settingNames: (settings) => {
      const factory = named(settings);
      const own = factory === undefined ? others.settingNames(settings) : Object.keys(factory.settings);
      return [CLIENT_SETTING, ...(factory === undefined ? [] : ['gpu', INHERIT_SETTING]), ...own];
    },
    create: (system, settings) => {
      const factory = named(settings);
      return factory === undefined
        ? others.create(system, settings)
        : new ClientDevices(factory, system, settings);
    },
  };
}
