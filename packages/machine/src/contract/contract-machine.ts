import { HmmError } from '@hmm/kernel';
import type { MemoryConfig } from '@hmm/mm';
import { formatSourceError, parseProgram, type ProgramFile } from '@hmm/workload';
import type { ClientHost, DeviceClient, DeviceFeatures, DeviceProcess } from '@hmm/device';
import { Machine } from '../machine.js';
import type { Process } from '../process.js';
import { runProgram } from '../program.js';

/** Makes the client under test in a new machine. */
export type ClientMaker = (host: ClientHost) => DeviceClient;

/** One promise, ready to be checked. */
export interface ContractCase {
  readonly name: string;
  /** Checks it on a new machine; what is broken, `skip: …` where it does not concern this client, or undefined. */
  readonly check: (make: ClientMaker) => string | undefined;
}

/** What a case says of a client that it does not concern. */
export const NOT_OF_THIS_CLIENT = 'skip: not of this client';

/** The device that the programs of the contract mean. */
export const DEVICE = 'D0';

/** Enough for every case: 256 MiB of memory, 1 GiB of frames. */
const MEMORY = { frames: 262_144, systemFrames: 65_536, maxTables: 4096 };

/** A machine with the client under test as its device. */
export interface ContractMachine {
  readonly machine: Machine;
  readonly client: DeviceClient;
}

export function newMachine(
  make: ClientMaker,
  trace = false,
  memory: Partial<MemoryConfig> = {},
): ContractMachine {
  const machine = new Machine({ memory: { ...MEMORY, ...memory }, trace });
  const client = make({ kernel: machine.kernel, memory: machine.memory, seed: 1 });
  machine.addDevice(DEVICE, client);
  return { machine, client };
}

/** What the client offers; a client that refuses its GPU is tested elsewhere. */
export function featuresOf(client: DeviceClient): DeviceFeatures | string {
  const capability = client.capability();
  return capability.ok ? capability.features : `the client refuses: ${capability.reason}`;
}

/** A machine on which a program has run and left the region `a`, with the device open in its process. */
export interface Prepared extends ContractMachine {
  readonly process: Process;
  readonly device: DeviceProcess;
  /** First page of `a`. */
  readonly vpn: number;
}

/** Runs `text` on `on` and opens the device; what stood in the way. */
export function prepare(on: ContractMachine, text: string): Prepared | string {
  const { machine } = on;
  const run = runProgram(machine, parse(text));
  if (run.problem !== undefined) return run.problem.message;
  const process = machine.processes.get('main');
  const region = machine.regions.get('a');
  if (process === undefined || region === undefined) return 'the program made no region a';
  const opened = machine.run('open', machine.device(process, DEVICE));
  return opened.ok ? { ...on, process, device: opened.process, vpn: region.vpn } : opened.reason;
}

export function parse(text: string): ProgramFile {
  const parsed = parseProgram(text, 'contract');
  if (parsed.ok) return parsed.program;
  throw new HmmError('CONTRACT_TEXT', parsed.errors.map(formatSourceError).join('; '));
}

/** What `check` says, or the error that it ended in: a deadlock, a broken invariant, whatever the client throws. */
export function broken(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    if (error instanceof HmmError) return `${error.code}: ${error.message}`;
    return `it throws ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
  }
}
