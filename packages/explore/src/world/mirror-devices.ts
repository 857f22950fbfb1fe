import type { DeviceProcess, FunctionNaming } from '@hmm/device';
import type { Task } from '@hmm/kernel';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import type { OperationClient } from '@hmm/operations';

/** What an observed object holds, in words and frames. */
export interface ObjectContents {
  word: number;
  frame: number;
  other: number;
}

/** An entry of a device's page table. */
export interface DeviceEntry {
  readonly device: number;
  readonly mm: MmStruct;
  readonly vpn: number;
  /** The frame that holds the data. */
  readonly pfn: number;
  readonly write: boolean;
  readonly atomic: boolean;
}

/**
 * The devices of a world. All their state can be reached from the object itself, and is declared (`declareState` of
 * `@hmm/kernel`). A driver provides them; whoever composes the world hands them in, since this package knows no driver.
 */
export interface MirrorDevices {
  /** The names of the driver's functions, for stories. */
  readonly naming?: FunctionNaming | undefined;
  /** Opens `device` for `mm`: it mirrors it from now on. 0 or a negative errno. */
  open(device: number, mm: MmStruct): Task<number>;
  /** The device as a process has it open; undefined where it has not, or not any more. */
  process(device: number, mm: MmStruct): DeviceProcess | undefined;
  /** A process was forked: the devices that the child has open because its parent had. Absent where a child has none. */
  inherit?(parent: MmStruct, child: MmStruct): number[];
  /** All entries of all devices' tables. */
  entries(): Iterable<DeviceEntry>;
  /** The mirrors that are open: which device, of which process. */
  readonly mirrors: readonly { readonly device: number; readonly mm: MmStruct }[];
  /**
   * The entry for `vpn` in the table of mirror `index` of {@link mirrors}: -1 for none, else 4 * frame + 1 if the device may
   * write + 2 if it has the page for itself.
   */
  entryAt(index: number, vpn: number): number;
  /** What is broken of the devices' own invariants, which are asked about while no operation is under way: which, and how. */
  checkAtRest?(): { readonly invariant: string; readonly detail: string } | undefined;
  /** What is broken of those of a driver's client, about the pages `pages`: in every state, and `atRest` of what holds only then. */
  checkClient?(
    pages: readonly number[],
    atRest: boolean,
  ): { readonly invariant: string; readonly detail: string } | undefined;
  /** What is broken of them once everything has ended, about the pages `pages` of all processes. */
  checkAtEnd?(pages: readonly number[]): { readonly invariant: string; readonly detail: string } | undefined;
  /** False where an execution that comes to a known state again is not to be given up: the search is slower, and misses nothing. */
  readonly statesRecognised?: boolean;
  /** Agents of the driver, which wait for work for ever. */
  workers?(): readonly { readonly name: string; readonly daemon: true; run(): Task }[];
  /**
   * Reads what an observed object of the devices holds, a lock with all that it protects and nobody reports; false for objects that are
   * none of theirs, or of which they cannot say.
   */
  contents?(object: number, into: ObjectContents): boolean;
  /** The driver as operations see it, where there is one with calls of its own. */
  readonly client?: OperationClient;
  /** Where the data of a page of a process is, and who maps it: `RES_*` bits; undefined where the process has no device that knows. */
  residency?(mm: MmStruct, vpn: number): number | undefined;
}

/** How a world's devices are made. */
export interface MirrorDevicesFactory {
  /** The names of the settings that devices read which are made with `settings` (`corrected` …); others are refused. */
  settingNames(settings: ReadonlyMap<string, string>): readonly string[];
  /** Makes the devices of a world: from its memory, with settings of the litmus file. */
  create(system: MemorySystem, settings: ReadonlyMap<string, string>): MirrorDevices;
}
